package objectstore

import (
	"strings"
	"sync"
)

// Destination is a part of a bucket that this process writes to.
type Destination struct {
	Endpoint string // "" is AWS
	Bucket   string
	Root     string // first segments of every key, "" for the whole bucket
}

// written are the destinations of this process. What reads buckets asks it, so that nothing is read that was just
// written: such a loop would fill the bucket for ever.
var written struct {
	sync.Mutex
	by map[*Destination]struct{}
}

// Claim makes known that the process writes to d, until release is called. It is safe for concurrent use.
func Claim(d Destination) (release func()) {
	var root strings.Builder
	appendRoot(&root, d.Root)
	d.Endpoint, d.Root = endpointName(d.Endpoint), strings.TrimSuffix(root.String(), "/")
	written.Lock()
	defer written.Unlock()
	if written.by == nil {
		written.by = make(map[*Destination]struct{})
	}
	written.by[&d] = struct{}{}
	return func() {
		written.Lock()
		defer written.Unlock()
		delete(written.by, &d)
	}
}

// WrittenRoots are the roots under which this process writes into a bucket; "" among them is all of it.
func WrittenRoots(endpoint, bucket string) (roots []string) {
	endpoint = endpointName(endpoint)
	written.Lock()
	defer written.Unlock()
	for d := range written.by {
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

// endpointName is what two spellings of one endpoint have in common.
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
