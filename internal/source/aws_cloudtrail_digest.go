package source

import "github.com/siempipe/siempipe/internal/record"

// CloudTrail digests: each lists the log files of an hour with their hashes. internal/cloudtraildigest checks them.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html

var cloudTrailDigest = newLogType("AWS.CloudTrailDigest", []column{
	{name: "awsAccountId", kind: text_, required: required, feed: feedAccount, account: 1},
	{name: "digestStartTime", kind: timestamp, required: required},
	{name: "digestEndTime", kind: timestamp, required: required, time: 1},
	{name: "digestS3Bucket", kind: text_, required: required},
	{name: "digestS3Object", kind: text_, required: required},
	{name: "newestEventTime", kind: timestamp},
	{name: "oldestEventTime", kind: timestamp},
	{name: "previousDigestS3Bucket", kind: text_}, // of a trail's first digest all that is previous is null
	{name: "previousDigestS3Object", kind: text_},
	{name: "previousDigestHashValue", kind: text_, feed: feedSHA256},
	{name: "previousDigestHashAlgorithm", kind: text_},
	{name: "previousDigestSignature", kind: text_},
	{name: "digestPublicKeyFingerprint", kind: text_, required: required},
	{name: "digestSignatureAlgorithm", kind: text_, required: required},
	{name: "logFiles", kind: objectList, required: required, fields: []column{
		{name: "s3Bucket", kind: text_},
		{name: "s3Object", kind: text_},
		{name: "hashValue", kind: text_, feed: feedSHA256},
		{name: "hashAlgorithm", kind: text_},
		{name: "newestEventTime", kind: timestamp},
		{name: "oldestEventTime", kind: timestamp},
	}},
})

func claimsCloudTrailDigest(in *Input) bool { return in.has(markDigestS3Object) }

func parseCloudTrailDigest(p *Parser, in *Input, rec *record.Record) error {
	return p.parseJSON(cloudTrailDigest, in, rec)
}
