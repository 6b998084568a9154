// Command quickstart starts the collector with the example configuration, posts sample records to it and shows what it delivers.
//
// `make run` starts it, at the root of the checkout.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/siempipe/siempipe/internal/test/harness"
)

// printable quotes a message that would not show on a terminal as it is.
func printable(message string) string {
	if strings.ContainsFunc(message, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(message)
	}
	return message
}

const (
	readyTimeout = 2 * time.Minute
	// arriveTimeout is far above the second that the example's queues wait.
	arriveTimeout = 2 * time.Minute
	stopTimeout   = time.Minute
)

func main() {
	log.SetFlags(0)
	once := flag.Bool("once", false, "check what arrived and end: 0 when all is as expected")
	binary := flag.String("collector", "bin/siempipe", "the collector")
	config := flag.String("config", "examples/quickstart.yaml", "its configuration")
	testdata := flag.String("testdata", "testdata", "the corpus to post")
	flag.Parse()
	if err := run(*binary, *config, *testdata, *once); err != nil {
		log.Fatalf("\nquickstart: %v", err)
	}
}

func run(binary, configFile, testdata string, once bool) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := readConfig(configFile)
	if err != nil {
		return err
	}
	posts, err := posts(testdata, time.Now())
	if err != nil {
		return err
	}

	fmt.Printf("== Pipe messages, as the listener on %s gets them\n", cfg.syslog)
	listener, err := harness.Listen(cfg.syslog, func(message string) { fmt.Println(printable(message)) })
	if err != nil {
		return fmt.Errorf("listener for pipe messages: %w", err)
	}
	defer listener.Close()

	collectorLog, err := os.Create("build/quickstart.log")
	if err != nil {
		return err
	}
	defer collectorLog.Close()
	collector, err := harness.Start(binary, collectorLog, nil, "--config", configFile)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := collector.Stop(stopTimeout); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("collector: %w", stopErr))
		}
		if err != nil {
			err = fmt.Errorf("%w\nthe collector's log is %s", err, collectorLog.Name())
		}
	}()
	ready, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := collector.WaitReady(ready, "http://"+cfg.health); err != nil {
		return err
	}

	if err := send(cfg, posts); err != nil {
		return err
	}
	o, err := awaitRecords(ctx, cfg, collector, listener, posts)
	if err != nil {
		return err
	}
	problems := o.problems()
	o.print(cfg)
	for _, p := range problems {
		fmt.Println("PROBLEM", p)
	}
	if len(problems) > 0 {
		err = fmt.Errorf("%d things are not as expected", len(problems))
	} else {
		fmt.Println("\nEverything expected has arrived.")
	}
	if once {
		return err
	}
	fmt.Printf("\nThe collector stays up; end it with Ctrl-C. To post a finding of your own:\n"+
		"  curl -d '{\"alert_id\":\"mine\",\"severity\":\"High\",\"detection_type\":\"security_finding\"}' http://%s/v1/events\n", cfg.receiver)
	select {
	case <-ctx.Done():
		return err
	case <-collector.Done():
		return errors.Join(err, errors.New("the collector has ended"))
	}
}
