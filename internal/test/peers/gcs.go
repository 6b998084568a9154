package peers

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// GCS is a running Google Cloud Storage whose events go to a Pub/Sub topic.
type GCS struct {
	Endpoint string
	Project  string
	Topic    string
}

// StartGCS starts fake-gcs-server. With the address of a Pub/Sub server (host:port), the events of its bucket go to the
// topic "objects" of the project "peer" there; both must exist before an object is written.
func StartGCS(t *testing.T, pubsub, bucket string) *GCS {
	t.Helper()
	binary := Tool(t, "fakegcs", "github.com/fsouza/fake-gcs-server")
	address := FreeAddress(t)
	host, port, _ := strings.Cut(address, ":")
	g := &GCS{Endpoint: "http://" + address, Project: "peer", Topic: "objects"}
	args := []string{"-scheme", "http", "-host", host, "-port", port, "-backend", "memory", "-public-host", address, "-external-url", g.Endpoint}
	cmd := exec.Command(binary, args...)
	if pubsub != "" {
		cmd.Args = append(cmd.Args, "-event.pubsub-project-id", g.Project, "-event.pubsub-topic", g.Topic,
			"-event.bucket", bucket, "-event.list", "finalize,delete,metadataUpdate")
		cmd.Env = append(os.Environ(), "PUBSUB_EMULATOR_HOST="+pubsub)
	}
	Start(t, address, cmd)
	return g
}
