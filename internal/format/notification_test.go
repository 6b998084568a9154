package format_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/record"
)

// TestNotifications: a notification of SNS is the record in it, once, and nothing else is taken for one.
func TestNotifications(t *testing.T) {
	const around = `"MessageId":"m","TopicArn":"arn:aws:sns:us-east-1:111122223333:t"`
	event := `{\"id\":\"1\",\"account\":\"111122223333\",\"source\":\"aws.ec2\",\"resources\":[],\"region\":\"r\",\"detail-type\":\"d\",\"version\":\"0\",\"time\":\"2024-01-01T00:00:00Z\",\"detail\":{}}`
	inner := `{"Type":"Notification",` + around + `,"Message":"` + event + `"}`
	twice := strings.ReplaceAll(strings.ReplaceAll(inner, `\`, `\\`), `"`, `\"`)
	for _, c := range []struct{ name, raw, format, want string }{
		{"an event", inner, "", "AWS.CloudWatchEvents"},
		{"an event, the format named", inner, "aws.cloudwatch_events", "AWS.CloudWatchEvents"},
		{"names sorted, blanks", `{"Message": " ` + event + `\n", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:111122223333:t", "Type": "Notification"}`, "", "AWS.CloudWatchEvents"},
		{"a finding", `{"Type":"Notification",` + around + `,"Subject":null,"Message":"{\"alert_id\":\"f-1\"}"}`, "", record.Other},
		{"with a member more", inner[:len(inner)-1] + `,"alert_id":"f-1"}`, "", record.Other},
		{"another type", strings.Replace(inner, "Notification", "SubscriptionConfirmation", 1), "", record.Invalid},
		{"no topic", strings.Replace(inner, "arn:", "", 1), "", record.Invalid},
		{"text", `{"Type":"Notification",` + around + `,"Message":"words"}`, "", record.Invalid},
		{"an object", `{"Type":"Notification",` + around + `,"Message":{}}`, "", record.Invalid},
		{"broken", `{"Type":"Notification",` + around + `,"Message":"{\"alert_id\":"}`, "", record.Invalid},
		{"deep", `{"Type":"Notification",` + around + `,"Message":"{\"alert_id\":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}"}`, "", record.Invalid},
		{"in another one", `{"Type":"Notification",` + around + `,"Message":"` + twice + `"}`, "", record.Invalid},
	} {
		p, err := format.NewParser(format.Options{})
		require.NoError(t, err)
		for range 2 { // as what came before, too
			var rec record.Record
			p.ParseIn(c.raw, format.Context{Format: c.format, Received: received}, &rec)
			assert.Equal(t, c.want, rec.EventType, "%s: %s", c.name, rec.Error)
			if c.want == record.Invalid {
				assert.Equal(t, format.NewInvalid(c.raw, rec.Format, rec.Error, received).Body, rec.Body, c.name)
			}
		}
	}
}
