package format

import "github.com/siempipe/siempipe/internal/record"

// CloudTrail digests: each lists the log files of an hour with their hashes. receiver/cloudstoragereceiver/internal/digest checks them.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html

var cloudTrailDigest = newLogType("AWS.CloudTrailDigest", []column{
	{name: "awsAccountId", kind: varchar, required: required, feed: feedAccount, account: 1},
	{name: "digestStartTime", kind: timestamp, required: required},
	{name: "digestEndTime", kind: timestamp, required: required, time: 1},
	{name: "digestS3Bucket", kind: varchar, required: required},
	{name: "digestS3Object", kind: varchar, required: required},
	{name: "newestEventTime", kind: timestamp},
	{name: "oldestEventTime", kind: timestamp},
	{name: "previousDigestS3Bucket", kind: varchar}, // of a trail's first digest all that is previous is null
	{name: "previousDigestS3Object", kind: varchar},
	{name: "previousDigestHashValue", kind: varchar, feed: feedSHA256},
	{name: "previousDigestHashAlgorithm", kind: varchar},
	{name: "previousDigestSignature", kind: varchar},
	{name: "digestPublicKeyFingerprint", kind: varchar, required: required},
	{name: "digestSignatureAlgorithm", kind: varchar, required: required},
	{name: "logFiles", kind: objectList, required: required, fields: []column{
		{name: "s3Bucket", kind: varchar},
		{name: "s3Object", kind: varchar},
		{name: "hashValue", kind: varchar, feed: feedSHA256},
		{name: "hashAlgorithm", kind: varchar},
		{name: "newestEventTime", kind: timestamp},
		{name: "oldestEventTime", kind: timestamp},
	}},
})

var digestNames = namesOf("digestS3Object")

func claimsCloudTrailDigest(in *Input) bool { return in.has(digestNames) }

func parseCloudTrailDigest(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(cloudTrailDigest, in, rec)
}
