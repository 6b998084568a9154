package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckPackage(t *testing.T) {
	const otel = "go.opentelemetry.io/collector/pdata/plog"
	for _, c := range []struct {
		name, pkg string
		imports   []string
		reaches   []string
		want      string // "" is nothing
	}{
		{"downwards", "internal/format", []string{"fmt", module + "internal/record", module + "internal/schema/panoptica"}, nil, ""},
		{"upwards", "internal/format", []string{module + "internal/process"}, nil, "internal/format imports internal/process: internal/process comes after internal/format in cmd/deps"},
		{"own folder", "internal/deliver/syslog", []string{module + "internal/deliver/objectstore"}, nil, ""},
		{"the longest folder", "internal/format", []string{module + "internal/schema"}, nil, "internal/format imports internal/schema: internal/schema comes after internal/format in cmd/deps"},
		{"core reaches the Collector", "internal/encode/pipe", nil, []string{otel}, "internal/encode/pipe reaches " + otel + ": the core is for hosts that are no Collector, too"},
		{"a component reaches the Collector", "exporter/x", nil, []string{otel}, ""},
		{"the plugin reaches the Collector", "fluentbit/plugin", nil, []string{otel}, "fluentbit/plugin reaches " + otel + ": the core is for hosts that are no Collector, too"},
		{"test help in a component", "exporter/x", []string{module + "internal/test/peers"}, nil, "exporter/x imports internal/test/peers: internal/test comes after exporter in cmd/deps"},
		{"no folder", "internal/new", nil, nil, "internal/new is in no folder of cmd/deps"},
	} {
		got := checkPackage(c.pkg, c.imports, c.reaches)
		if c.want == "" {
			assert.Empty(t, got, c.name)
		} else {
			assert.Equal(t, []string{c.want}, got, c.name)
		}
	}
}
