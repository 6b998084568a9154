// Package plugin is the Fluent Bit output plugin without cgo: settings by their keys, chunks in, objects or syslog messages
// out. It is the same core that the Collector's components are made of, with a seam of one method to the host's settings.
//
// An Instance starts no goroutine that outlives a call: the host's logger works on the host's threads only, and a hot
// reload has nothing of ours to leak.
package plugin

// Name is what users write as the name of the output.
const Name = "siempipe"

// Description is what the host shows in its help.
const Description = "Security findings, scans and audit logs to S3, a directory or a SIEM over syslog"

// Settings hands out what the user set, by the key's name in lower case; "" is absent.
type Settings interface{ Get(key string) string }

// Level is a level of the host's logger.
type Level int

// Levels, with Fluent Bit's numbers.
const (
	Error Level = 1
	Warn  Level = 2
	Info  Level = 3
	Debug Level = 4
)

// Logger is the host's logger, with the instance's level. It must be called on the threads that the host calls us on.
type Logger interface{ Log(level Level, msg string) }

// Result is what a flush tells the host, with Fluent Bit's numbers.
type Result int

// Results of a flush.
const (
	GivenUp Result = 0 // FLB_ERROR: the host drops the chunk and says nothing
	OK      Result = 1 // FLB_OK: delivered
	Retry   Result = 2 // FLB_RETRY: the host keeps the chunk and comes again
)
