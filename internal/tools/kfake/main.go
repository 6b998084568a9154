// Command kfake is a Kafka broker for tests: one process, all in memory, speaking Kafka's own protocol. It listens on the
// port of its first argument and makes the topics named by the others, each of three partitions.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kfake PORT TOPIC...")
		os.Exit(2)
	}
	port, err := strconv.Atoi(os.Args[1])
	if err == nil {
		var cluster *kfake.Cluster
		cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.SeedTopics(3, os.Args[2:]...))
		if err == nil {
			defer cluster.Close()
			stop := make(chan os.Signal, 1)
			signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
			<-stop
			return
		}
	}
	fmt.Fprintln(os.Stderr, "kfake:", err)
	os.Exit(1)
}
