// Package buckets knows which buckets the components of one process write to. Components of a Collector share nothing but the
// process: an exporter claims what it writes to, and a receiver refuses to read that.
package buckets

import "github.com/siempipe/siempipe/internal/deliver/objectstore"

// Written are the destinations of this process. Components are safe to use it concurrently; tests of objectstore have claims
// of their own.
var Written objectstore.Claims
