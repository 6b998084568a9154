package main

// setup is one collector with one configuration.
type setup struct {
	binary string // under build/bench or bin
	config string // under bench/configs
	post   *request
}

// comparison is a case of the table: the same findings through ours and through existing components.
type comparison struct {
	name, ours, theirs  string
	oursSetup           setup
	anchorSetup         setup
	cpuTarget, rssLimit float64 // the most that ours may cost, as a share of the anchor's cost; 0 is no target
}

const (
	siempipe = "bin/siempipe"
	anchor   = "build/bench/anchor"
)

// The comparisons. B shares its first half with A, which is measured once.
var comparisons = []comparison{
	{
		name: "A", ours: "file_log → siem → panoptica_s3", theirs: "file_log raw → awss3 (nothing parsed)",
		oursSetup: setup{binary: siempipe, config: "ours-s3.yaml"}, anchorSetup: setup{binary: anchor, config: "anchor-raw-s3.yaml"},
		cpuTarget: 1, rssLimit: 0.5,
	},
	{
		name: "B", ours: "as A", theirs: "file_log json_parser → awss3",
		oursSetup: setup{binary: siempipe, config: "ours-s3.yaml"}, anchorSetup: setup{binary: anchor, config: "anchor-parsed-s3.yaml"},
		cpuTarget: 0.12,
	},
	{
		name: "C", ours: "file_log → siem → pipe_syslog TCP", theirs: "file_log raw → syslog",
		oursSetup: setup{binary: siempipe, config: "ours-syslog.yaml"}, anchorSetup: setup{binary: anchor, config: "anchor-syslog.yaml"},
		cpuTarget: 1,
	},
	{
		name: "D", ours: "findings receiver, NDJSON, 1,000 a request → siem → discard", theirs: "OTLP over HTTP, 1,000 a request → discard",
		oursSetup: setup{binary: siempipe, config: "ours-http.yaml", post: &ndjson}, anchorSetup: setup{binary: anchor, config: "anchor-otlp.yaml", post: &otlp},
		cpuTarget: 1,
	},
}
