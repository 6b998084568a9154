package format

import (
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// Sign-in logs of Microsoft Entra ID, as Azure Monitor writes them to blobs and event hubs.
// https://learn.microsoft.com/en-us/entra/identity/monitoring-health/concept-sign-in-log-activity-details

const azureSignInName = "azure.signin"

var azureSignIn = newLogType("Azure.SignIn", []column{
	{name: "Level", kind: varchar}, // a number or a word, by the age of the log
	{name: "callerIpAddress", kind: varchar, feed: feedNetAddr},
	{name: "category", kind: varchar},
	{name: "correlationId", kind: varchar, feed: feedTrace},
	{name: "durationMs", kind: bigint},
	{name: "identity", kind: varchar},
	{name: "location", kind: varchar},
	{name: "operationName", kind: varchar, required: required},
	{name: "operationVersion", kind: varchar},
	{name: "properties", kind: object, fields: []column{
		{name: "ipAddress", kind: varchar, feed: feedNetAddr},
		{name: "userPrincipalName", kind: varchar, feed: feedUser},
		{name: "servicePrincipalName", kind: varchar, feed: feedUser},
	}},
	{name: "resourceId", kind: varchar},
	{name: "resultDescription", kind: varchar},
	{name: "resultSignature", kind: varchar},
	{name: "resultType", kind: varchar},
	{name: "tenantId", kind: varchar, account: 1},
	{name: "time", kind: timestampUS, time: 1}, // month first where AD FS or a service principal signs in
})

// claimsAzureSignIn takes the categories whose names end so: interactive and not, of service principals and managed
// identities.
var operationName = namesOf("operationName|OperationName")

func claimsAzureSignIn(in *Input) bool {
	if !in.has(operationName) {
		return false
	}
	if category := in.fold("category"); category.Kind == jsonscan.String {
		return strings.HasSuffix(category.Text(), "SignInLogs")
	}
	return text(in.fold("operationName")) == "Sign-in activity"
}

func parseAzureSignIn(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(azureSignIn, in, rec)
}
