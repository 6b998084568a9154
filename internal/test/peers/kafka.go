package peers

import (
	"os/exec"
	"strings"
	"testing"
)

// StartKafka starts a Kafka broker in memory with topics of three partitions and returns its address.
func StartKafka(t *testing.T, topics ...string) (address string) {
	t.Helper()
	binary := Tool(t, "kfake", ".")
	address = FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	Start(t, address, exec.Command(binary, append([]string{port}, topics...)...))
	return address
}
