package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// config is what the quickstart reads from the collector's configuration.
type config struct {
	receiver, health, syslog, metrics string // host:port
	directory                         string
}

func readConfig(path string) (config, error) {
	var c config
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	var file struct {
		Receivers struct {
			Findings struct{ Endpoint string }
		}
		Exporters struct {
			S3     struct{ Directory string } `yaml:"panoptica_s3"`
			Syslog struct{ Endpoint string }  `yaml:"pipe_syslog"`
		}
		Extensions struct {
			HealthCheck struct{ Endpoint string } `yaml:"health_check"`
		}
		Service struct {
			Telemetry struct {
				Metrics struct {
					Readers []struct {
						Pull struct {
							Exporter struct {
								Prometheus struct {
									Host string
									Port int
								}
							}
						}
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	c.receiver = file.Receivers.Findings.Endpoint
	c.directory = file.Exporters.S3.Directory
	c.syslog = file.Exporters.Syslog.Endpoint
	c.health = file.Extensions.HealthCheck.Endpoint
	if readers := file.Service.Telemetry.Metrics.Readers; len(readers) == 1 {
		p := readers[0].Pull.Exporter.Prometheus
		c.metrics = net.JoinHostPort(p.Host, strconv.Itoa(p.Port))
	}
	for _, v := range []string{c.receiver, c.directory, c.syslog, c.health, c.metrics} {
		if v == "" {
			return c, errors.New(path + ": lacks an endpoint, the directory or the metrics reader that the quickstart uses")
		}
	}
	return c, nil
}
