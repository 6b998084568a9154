package objectstore

import (
	"strings"
	"sync"
)

// Destination is a part of a bucket.
type Destination struct {
	Endpoint string // "" is AWS
	Bucket   string
	Root     string // first segments of every key, "" for the whole bucket
}

// Claims are the destinations that somebody writes to. A reader of buckets asks them, so that it does not read what was just
// written: such a loop would fill the bucket for ever. The zero value is ready. Claims are safe for concurrent use, and must
// not be copied after first use.
type Claims struct {
	mu sync.Mutex
	by map[*Destination]struct{}
}

// Claim says that d is written to, until release is called.
func (c *Claims) Claim(d Destination) (release func()) {
	var root strings.Builder
	appendRoot(&root, d.Root)
	d.Endpoint, d.Root = endpointName(d.Endpoint), strings.TrimSuffix(root.String(), "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = make(map[*Destination]struct{})
	}
	c.by[&d] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.by, &d)
	}
}

// Roots are the roots that are written to in a bucket; "" among them is all of it.
func (c *Claims) Roots(endpoint, bucket string) (roots []string) {
	endpoint = endpointName(endpoint)
	c.mu.Lock()
	defer c.mu.Unlock()
	for d := range c.by {
		if d.Endpoint == endpoint && d.Bucket == bucket {
			roots = append(roots, d.Root)
		}
	}
	return roots
}

// UnderRoot reports whether a key, or every key that begins with it, is under a root.
func UnderRoot(key, root string) bool {
	return root == "" || key == root || strings.HasPrefix(key, root+"/")
}

// endpointName is the same for all spellings of one endpoint.
func endpointName(endpoint string) string {
	_, host, ok := strings.Cut(strings.ToLower(endpoint), "://")
	if !ok {
		host = strings.ToLower(endpoint)
	}
	host, _, _ = strings.Cut(host, "/")
	if name, _, _ := strings.Cut(host, ":"); strings.HasSuffix(name, ".amazonaws.com") || strings.HasSuffix(name, ".amazonaws.com.cn") {
		return "" // the bucket's name says which it is, whatever the region in the address
	}
	return host
}
