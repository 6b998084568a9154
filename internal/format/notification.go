package format

import (
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// What Amazon SNS delivers to an HTTPS endpoint, or to a queue without raw message delivery: the message as a text, with what
// is known of its delivery around it. A topic between a service and its readers changes nothing of the record.
// https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html

// isNotificationName reports whether SNS has a member of that name.
func isNotificationName(name string) bool {
	switch name {
	case "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL",
		"SigningCertUrl", "UnsubscribeURL", "UnsubscribeUrl", "MessageAttributes", "SequenceNumber":
		return true
	}
	return false
}

// notified is the object in a notification of SNS, "" where the input is none. An object that has any member beside those of SNS
// is a record that looks like one.
func (in *Input) notified() string {
	if len(in.Members) < 4 {
		return ""
	}
	for i := range in.Members { // over at the first name of nearly every record
		if !isNotificationName(in.Members[i].Name) {
			return ""
		}
	}
	if text(in.Get("Type")) != "Notification" || text(in.Get("MessageId")) == "" || !strings.HasPrefix(text(in.Get("TopicArn")), "arn:") {
		return ""
	}
	message := in.Get("Message")
	if message == nil || message.Kind != jsonscan.String {
		return ""
	}
	if object := strings.Trim(message.Text(), blanks); strings.HasPrefix(object, "{") {
		return object
	}
	return ""
}
