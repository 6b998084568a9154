package peers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// STS stands in for AWS's Security Token Service, which no server here implements: it checks what is asked and hands out the
// keys of a user of the S3 server.
type STS struct {
	// What it asks for; "" is not checked.
	RoleARN, ExternalID, SessionName, Token string
	// SessionToken goes with the keys. The S3 server knows users and no sessions, and refuses any.
	SessionToken string

	user User
}

// StartSTS starts it until the test ends and sets the environment variable by which the AWS SDK finds it.
func StartSTS(t *testing.T, user User) *STS {
	t.Helper()
	s := &STS{user: user}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	return s
}

// ServeHTTP answers as https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html says.
func (s *STS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	action, ask := r.PostForm.Get("Action"), r.PostForm
	switch {
	case action == "AssumeRole" && r.Header.Get("Authorization") == "":
		fail(w, http.StatusForbidden, "MissingAuthenticationToken")
	case s.RoleARN != "" && ask.Get("RoleArn") != s.RoleARN,
		s.SessionName != "" && ask.Get("RoleSessionName") != s.SessionName,
		action == "AssumeRole" && s.ExternalID != "" && ask.Get("ExternalId") != s.ExternalID:
		fail(w, http.StatusForbidden, "AccessDenied")
	case action == "AssumeRoleWithWebIdentity" && ask.Get("WebIdentityToken") != s.Token:
		fail(w, http.StatusBadRequest, "InvalidIdentityToken")
	default:
		fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials>`+
			`<AccessKeyId>%[2]s</AccessKeyId><SecretAccessKey>%[3]s</SecretAccessKey><SessionToken>%[4]s</SessionToken>`+
			`<Expiration>%[5]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
			action, s.user.AccessKey, s.user.SecretKey, s.SessionToken, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code>`+
		`<Message>as the test has it</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code)
}
