package findingstateprocessor

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestScenarios: each step is "what happens => what goes on", one after the other on an injected clock.
func TestScenarios(t *testing.T) {
	tests := map[string]struct {
		cfg   func(*Config)
		steps []string
	}{
		"new, unchanged, changed": {steps: []string{
			`f-1 "description":"a" => f-1 new`,
			`+1h =>`,
			`f-1 "description":"a" =>`,
			`f-1 "description":"b" "labels":["x"] => f-1 changed(description,labels)`,
			`f-1 "labels":["x"] "description":"b" =>`,
			`f-1 "labels":["x"] => f-1 changed(description)`,
			`f-1 "labels":["x"] "team":{"a":1} => f-1 changed(team)`,
			`f-1 "labels":["x"] "team":{"a":2} => f-1 changed(team)`,
			`f-1 "labels":["\u0078"] "team":{"a":2} => f-1 changed(labels)`, // only strings at the top are read
		}},
		"twice in one batch": {steps: []string{
			`f-1 f-1 "description":"b" f-1 "description":"b" => f-1 changed(description)|f-1 new`,
		}},
		"spelling of a string is no change": {steps: []string{
			`f-1 "description":"Ab" => f-1 new`,
			`f-1 "description":"\u0041b" =>`,
		}},
		"heartbeat": {steps: []string{
			`f-1 => f-1 new`,
			`+23h =>`,
			`f-1 =>`,
			`+1h =>`,
			`f-1 => f-1 still_open`,
			`f-1 =>`,
			`+24h =>`,
			`f-1 "description":"b" => f-1 changed(description)`,
		}},
		"no heartbeat": {
			cfg: func(c *Config) { c.Heartbeat = 0 },
			steps: []string{
				`f-1 => f-1 new`,
				`+720h =>`,
				`f-1 =>`,
			},
		},
		"resolved and reopened": {steps: []string{
			`f-1 "resolved":false => f-1 new`,
			`f-1 "resolved":true => f-1 resolved(resolved)`,
			`f-1 "resolved":true =>`,
			`+48h =>`,
			`f-1 "resolved":true =>`, // no heartbeat: it is not open
			`f-1 "resolved":false "description":"b" => f-1 reopened(description,resolved)`,
			`f-2 "resolved":true => f-2 resolved`,
		}},
		"emit all": {
			cfg: func(c *Config) { c.Emit = "all" },
			steps: []string{
				`f-1 => f-1 new`,
				`f-1 => f-1 unchanged`,
				`event {"alert_id":"f-1","status":"dismissed"} => f-1 dismissed`,
				`f-1 =>`,
				`event {"alert_id":"f-1","status":"open"} => f-1 reopened`,
				`f-1 => f-1 reopened`,
			},
		},
		"ignored fields": {
			cfg: func(c *Config) { c.IgnoreFields = append(c.IgnoreFields, "description") },
			steps: []string{
				`f-1 "description":"a" => f-1 new`,
				`f-1 "description":"b" =>`,
			},
		},
		"dismissed by an event": {steps: []string{
			`f-1 => f-1 new`,
			`event {"alert_id":"f-1","status":"dismissed"} =>`,
			`f-1 =>`,
			`+48h =>`,
			`f-1 "description":"a" =>`,
			`f-1 "dismissed":false =>`, // a mark does not take back what an event said
			`event {"alert_id":"f-1","status":"reopened"} =>`,
			`f-1 "description":"b" => f-1 reopened(description)`,
			`f-1 "description":"b" =>`,
		}},
		"dismissed before it was seen": {steps: []string{
			`event {"alert_id":"f-1","tenant_id":"id-1","status":"ignored","user":"ann","reason":"test"} =>`,
			`f-1 =>`,
			`restart =>`,
			`f-1 =>`,
			`event {"alert_id":"f-1","tenant_id":"id-1","dismissed":false} =>`,
			`f-1 => f-1 new`,
		}},
		"snooze ends by itself": {steps: []string{
			`f-1 => f-1 new`,
			`event {"alert_id":"f-1","status":"snoozed","snoozed_until":"2026-03-02T08:00:00Z"} =>`,
			`f-1 =>`,
			`+23h59m59s =>`,
			`f-1 =>`,
			`+1s =>`,
			`f-1 => f-1 reopened`,
			`f-1 =>`,
		}},
		"snooze without end": {steps: []string{
			`f-1 => f-1 new`,
			`event {"alert_id":"f-1","status":"snoozed"} =>`,
			`+720h =>`,
			`f-1 =>`,
			`event {"alert_id":"f-1","status":"active"} =>`,
			`f-1 => f-1 reopened`,
		}},
		"a snooze that is over": {steps: []string{
			`f-1 => f-1 new`,
			`event {"alert_id":"f-1","status":"snoozed","snoozed_until":"2026-02-02T08:00:00Z"} =>`,
			`f-1 =>`,
			`event {"alert_id":"f-1","status":"snoozed","snoozed_until":"2026-04-02T08:00:00Z"} =>`,
			`f-1 "description":"b" =>`,
			`event {"alert_id":"f-1","status":"snoozed","snoozed_until":"2026-02-02T08:00:00Z"} =>`,
			`f-1 => f-1 reopened`,
			`event {"alert_id":"f-1","status":"dismissed"} =>`,
			`event {"alert_id":"f-1","status":"snoozed","snoozed_until":"2026-02-02T08:00:00Z"} =>`,
			`f-1 "description":"c" =>`, // dismissed stays
		}},
		"the last disposition counts": {steps: []string{
			`f-1 => f-1 new`,
			`event {"alert_id":"f-1","status":"dismissed"} =>`,
			`event {"alert_id":"f-1","status":"snoozed","snoozed_until":"2026-03-02T08:00:00Z"} =>`,
			`+25h =>`,
			`f-1 => f-1 reopened`,
		}},
		"dismissed by a mark in the record": {steps: []string{
			`f-1 => f-1 new`,
			`f-1 "dismissed":true =>`,
			`f-1 =>`, // unmarked: still hidden
			`f-1 "dismissed":false => f-1 reopened`,
			`f-1 "status":"snoozed" =>`,
			`f-1 "status":"open" => f-1 reopened(status)`,
		}},
		"resolved by an event": {steps: []string{
			`f-1 => f-1 new`,
			`event {"alert_id":"f-1","status":"resolved"} => f-1 resolved`,
			`event {"alert_id":"f-1","status":"resolved"} =>`,
			`f-1 => f-1 reopened`,
			`event {"alert_id":"f-9","status":"resolved"} =>`,
		}},
		"not seen": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`f-1 f-2 f-3 => f-1 new|f-2 new|f-3 new`,
				`+16m =>`,
				`+1h =>`,
				`f-1 =>`,
				`+10m =>`,
				`f-2 =>`,
				`+10m =>`,
				`+6m => f-3 not_seen`,
				`+1h =>`, // once
				`f-1 f-2 =>`,
				`+1h =>`,
				`f-3 => f-3 reopened`,
				`+1h => f-1 not_seen|f-2 not_seen`,
			},
		},
		"marked but not sent": {steps: []string{
			`f-1 f-2 => f-1 new|f-2 new`,
			`+1h =>`,
			`f-1 =>`,
			`+1h =>`,
			`f-2 => f-2 reopened`,
		}},
		"not seen says nothing of hidden, resolved and other accounts": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`f-1 f-2 f-3 "resolved":true f-4@444455556666 f-5 => f-1 new|f-2 new|f-3 resolved|f-4 new|f-5 new`,
				`+1h =>`,
				`event {"alert_id":"f-2","status":"dismissed"} =>`,
				`event {"alert_id":"f-5","status":"snoozed","snoozed_until":"2026-03-01T10:30:00Z"} =>`,
				`f-1 =>`,
				`+1h =>`,
				`+1h =>`,
				`f-1 =>`,
				`+1h => f-5 not_seen`, // its snooze has ended
			},
		},
		"a snapshot over midnight is one": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`f-1 f-2 f-3 => f-1 new|f-2 new|f-3 new`,
				`+15h55m =>`,
				`f-1 =>`,
				`+10m =>`,
				`f-2 =>`,
				`+6m =>`, // the first day's part is quiet, the second's is not
				`+4m =>`,
				`f-2 =>`,
				`+16m => f-3 not_seen`,
			},
		},
		"a replay of an old day says nothing of later ones": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`f-1 f-2 => f-1 new|f-2 new`,
				`+1h =>`,
				`f-1 "x":1 => f-1 changed(x)`,
				`+1h => f-2 not_seen`,
			},
		},
		"no snapshots": {
			cfg: func(c *Config) { c.EmitNotSeen, c.QuietPeriod = true, 0 },
			steps: []string{
				`f-1 f-2 => f-1 new|f-2 new`,
				`+1h =>`,
				`f-1 =>`,
				`+1h =>`,
			},
		},
		"not of a format with snapshots": {
			cfg: func(c *Config) { c.EmitNotSeen, c.SnapshotFormats = true, []string{"other"} },
			steps: []string{
				`f-1 f-2 => f-1 new|f-2 new`,
				`+1h =>`,
				`f-1 =>`,
				`+1h =>`,
			},
		},
		"not seen is sent again when it was refused": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`f-1 f-2 => f-1 new|f-2 new`,
				`+1h =>`,
				`f-1 =>`,
				`refuse =>`,
				`+1h =>`,
				`crash =>`,
				`accept =>`,
				`+1s => f-2 not_seen`,
				`+1h =>`,
			},
		},
		"a scan that completes": {
			cfg: func(c *Config) { c.Release = "on_scan_completed"; c.EmitNotSeen = true },
			steps: []string{
				`f-0 => f-0 new`,
				`scan s1 running: f-1 f-2 =>`,
				`+5m =>`,
				`scan s1 running: f-3 =>`,
				`crash =>`,
				`scan s1 completed =>`,
				`+1s => f-1 new|f-2 new|f-3 new`,
				`scan s1 completed: f-4 => f-4 new`, // a straggler goes straight on
				`+16m => f-0 not_seen`,
				`scan s2 running: f-1 =>`,
				`scan s2 completed: f-2 f-4 =>`,
				`+1s =>`,
				`+16m => f-3 not_seen`,
			},
		},
		"a scan that fails": {
			cfg: func(c *Config) { c.Release = "on_scan_completed"; c.EmitNotSeen = true },
			steps: []string{
				`f-0 => f-0 new`,
				`scan s1 running: f-1 f-2 =>`,
				`scan s1 failed =>`,
				`+1s =>`,
				`scan s1 failed: f-3 =>`,
				`+1h =>`,
				`f-1 => f-1 new`, // its state says nothing of the scan that failed
			},
		},
		"a scan that fails though it was not waited for": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`scan s0 running: f-0 f-1 => f-0 new|f-1 new`,
				`scan s0 completed =>`,
				`+16m =>`,
				`scan s1 running: f-1 =>`,
				`scan s1 failed =>`,
				`+2h =>`, // f-0 may be where s1 did not come
				`scan s2: f-1 =>`,
				`scan s2 succeeded =>`,
				`+14m =>`,
				`+2m => f-0 not_seen`,
			},
		},
		"a scan whose envelope breaks off": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`f-0 f-1 => f-0 new|f-1 new`,
				`+1s =>`,
				`scan s1 completed: f-1 =>`,
				`scan s1 incomplete =>`,
				`+1h =>`,
				`scan s1 completed: f-1 =>`,
				`scan s1 completed =>`,
				`+16m => f-0 not_seen`,
			},
		},
		"a scan without findings": {
			cfg: func(c *Config) { c.Release = "on_scan_completed" },
			steps: []string{
				`scan s1 completed =>`,
				`+1h =>`,
				`scan s1: f-1 => f-1 new`,
			},
		},
		"a scan that never completes": {
			cfg: func(c *Config) { c.Release = "on_scan_completed"; c.EmitNotSeen = true },
			steps: []string{
				`f-0 => f-0 new`,
				`scan s1 running: f-1 =>`,
				`+23h =>`,
				`scan s1: f-2 =>`,
				`+1h =>`, // it spoke an hour ago
				`scan s1 running =>`,
				`+23h =>`,
				`+1h => f-1 new|f-2 new`,
				`scan s1: f-3 => f-3 new`,
				`+23h =>`,
				`+2h =>`,
			},
		},
		"a release that is refused": {
			cfg: func(c *Config) { c.Release = "on_scan_completed" },
			steps: []string{
				`scan s1: f-1 =>`,
				`scan s1: f-2 =>`,
				`scan s1 completed =>`,
				`refuse =>`,
				`+1s =>`,
				`scan s1: f-1 "description":"b" =>`, // behind what waits, in order
				`crash =>`,
				`accept =>`,
				`+1s => f-1 changed(description)|f-1 new|f-2 new`,
			},
		},
		"a release that is refused for good": {
			cfg: func(c *Config) { c.Release, c.EmitNotSeen = "on_scan_completed", true },
			steps: []string{
				`f-0 => f-0 new`,
				`scan s1: f-1 =>`,
				`scan s1: f-2 =>`,
				`scan s1 completed =>`,
				`refuse for good =>`,
				`+1s =>`,
				`accept =>`,
				`+1s =>`, // it does not stand in the way
				`scan s2: f-1 =>`,
				`scan s2 completed =>`,
				`+1s => f-1 new`, // the state does not know what nobody took
				`refuse for good =>`,
				`+1h =>`, // f-0 is not seen, and that nobody wants to know
				`accept =>`,
				`+1h =>`,
				`f-0 => f-0 reopened`,
			},
		},
		"a scan of which a part is refused for good": {
			cfg: func(c *Config) { c.Release, c.EmitNotSeen = "on_scan_completed", true },
			steps: []string{
				`scan s0 completed: f-0 f-1 f-2 => f-0 new|f-1 new|f-2 new`,
				`+16m =>`,
				`scan s1: f-0 "x":1 =>`,
				`scan s1: f-1 =>`,
				`scan s1 completed =>`,
				`refuse for good =>`,
				`+1s =>`,
				`accept =>`,
				`+16m =>`, // f-0 came with it, and was lost here
				`scan s2 completed: f-0 "x":1 f-1 => f-0 changed(x)`,
				`+16m => f-2 not_seen`,
			},
		},
		"delivery comes before the state": {steps: []string{
			`refuse =>`,
			`f-1 =>`,
			`accept =>`,
			`f-1 => f-1 new`,
			`refuse =>`,
			`f-1 "description":"b" =>`,
			`event {"alert_id":"f-1","status":"dismissed"} =>`, // nothing goes on, so nothing is refused
			`accept =>`,
			`f-1 "description":"b" =>`,
			`event {"alert_id":"f-1","status":"open"} =>`,
			`f-1 "description":"b" => f-1 reopened(description)`,
		}},
		"a disposition without a tenant": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`f-1 f-2 => f-1 new|f-2 new`,
				`any {"alert_id":"f-1","status":"dismissed"} =>`,
				`f-1 "description":"b" =>`,
				`+1h =>`,
				`f-2 =>`,
				`+1h =>`, // a hidden finding is not missed
				`any {"alert_id":"f-1","status":"snoozed","snoozed_until":"2026-03-01T12:00:00Z"} =>`,
				`f-1 =>`,
				`+3h => f-2 not_seen`,
				`f-1 => f-1 reopened`,
				`any {"alert_id":"f-1","status":"dismissed"} =>`,
				`f-1 =>`,
				`any {"alert_id":"f-1","status":"open"} =>`,
				`f-1 => f-1 reopened`,
			},
		},
		"a disposition without a tenant, ignored": {
			cfg: func(c *Config) { c.DispositionsWithoutTenant, c.EmitNotSeen = "ignore", true },
			steps: []string{
				`f-1 f-2 => f-1 new|f-2 new`,
				`any {"alert_id":"f-1","status":"dismissed"} =>`,
				`f-1 "description":"b" => f-1 changed(description)`,
				`+1h =>`,
				`f-2 =>`,
				`+1h => f-1 not_seen`,
			},
		},
		"a disposition without a tenant ends before its finding comes again": {steps: []string{
			`f-1 f-2 f-3 => f-1 new|f-2 new|f-3 new`,
			`+1h =>`,
			`any {"alert_id":"f-1","status":"snoozed","snoozed_until":"2026-03-01T10:00:00Z"} =>`,
			`any {"alert_id":"f-2","status":"dismissed"} =>`,
			`any {"alert_id":"f-3","status":"dismissed"} =>`,
			`+30m =>`,
			`any {"alert_id":"f-2","status":"open"} =>`,
			`event {"alert_id":"f-3","status":"resolved"} =>`,
			`+30m =>`,
			`f-1 f-2 f-3 => f-1 reopened|f-2 reopened`,
			`f-1 f-2 =>`,
			`any {"alert_id":"f-3","status":"open"} =>`,
			`event {"alert_id":"f-3","status":"resolved"} => f-3 resolved`,
		}},
		"a disposition without a tenant is remembered as long as it hides": {
			cfg: func(c *Config) { c.ExpireAfter = 48 * time.Hour },
			steps: []string{
				`f-1 => f-1 new`,
				`any {"alert_id":"f-1","status":"dismissed"} =>`,
				`any {"alert_id":"f-2","status":"dismissed"} =>`,
				`+40h =>`,
				`f-1 =>`,
				`any {"alert_id":"f-2","status":"dismissed"} =>`, // said again
				`+40h =>`,
				`f-1 f-2 =>`,
				`+49h =>`,
				`f-1 f-2 => f-1 new|f-2 new`,
			},
		},
		"a disposition that is taken back at once": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`f-2 => f-2 new`,
				`event {"alert_id":"f-1","status":"dismissed"} {"alert_id":"f-1","status":"open"} =>`,
				`+1h =>`,
				`f-3 => f-3 new`,
				`+1h => f-2 not_seen`, // all that is known is looked through
				`f-1 => f-1 new`,
			},
		},
		"a disposition without a tenant, in the batch of its finding": {steps: []string{
			`both {"alert_id":"f-1","status":"dismissed"} =>`,
			`f-1 =>`,
		}},
		"a disposition of another tenant": {steps: []string{
			`f-1 => f-1 new`,
			`any {"alert_id":"f-1","tenant_id":"id-2","status":"dismissed"} =>`,
			`f-1 "description":"b" => f-1 changed(description)`,
		}},
		"suppressed": {
			cfg: func(c *Config) { c.EmitNotSeen = true },
			steps: []string{
				`f-1 f-2 => f-1 new|f-2 new`,
				`+1h =>`,
				`suppressed f-1 f-3 "description":"b" =>`, // hidden, but seen
				`+1h => f-2 not_seen`,
				`suppressed f-2 =>`,
				`+1h =>`, // what was suppressed last is not missed
				`f-1 f-2 f-3 => f-1 reopened|f-2 reopened|f-3 new`,
				`suppressed f-1 "resolved":true =>`,
				`f-1 "resolved":true => f-1 resolved(resolved)`,
				`event {"alert_id":"f-2","status":"dismissed"} =>`,
				`suppressed f-2 =>`,
				`f-2 =>`,
				`event {"alert_id":"f-2","status":"open"} =>`,
				`suppressed f-2 =>`,
				`f-2 => f-2 reopened`,
			},
		},
		"the clock was a year ahead": {
			cfg: func(c *Config) { c.EmitNotSeen, c.ExpireAfter, c.Release = true, 0, onScanCompleted },
			steps: []string{
				`f-1 f-2 => f-1 new|f-2 new`,
				`+1h =>`,
				`+8760h =>`,
				`f-1 => f-1 still_open`,
				`scan s1 running: f-3 =>`,
				`+-8760h =>`,
				`f-1 f-2 => f-1 still_open`, // its last heartbeat is not waited for
				`+1h =>`,                    // nor is the snapshot, which says nothing of what came since
				`f-1 =>`,
				`+23h => f-2 not_seen|f-3 new`, // s1 has waited as long as a scan may
				`f-1 => f-1 still_open`,
			},
		},
		"forgotten": {
			cfg: func(c *Config) { c.ExpireAfter = 48 * time.Hour },
			steps: []string{
				`f-1 f-2 => f-1 new|f-2 new`,
				`event {"alert_id":"f-1","status":"dismissed"} =>`,
				`event {"alert_id":"f-3","status":"snoozed","snoozed_until":"2026-05-01T00:00:00Z"} =>`,
				`+47h =>`,
				`f-2 => f-2 still_open`,
				`+2h =>`,
				`f-1 => f-1 new`,
				`crash =>`,
				`f-2 =>`,
				`f-3 =>`,
				`+49h =>`,
				`restart =>`,
				`f-2 => f-2 new`,
			},
		},
	}
	for name, test := range tests {
		for _, again := range []string{"", "crash", "restart"} { // between all steps: nothing may depend on memory
			t.Run(strings.TrimSuffix(name+", "+again, ", "), func(t *testing.T) {
				cfg := defaults()
				if test.cfg != nil {
					test.cfg(cfg)
				}
				r := newRig(t, cfg)
				for _, step := range test.steps {
					what, want, _ := strings.Cut(step, "=>")
					got := strings.Join(r.do(cfg, strings.TrimSpace(what)), "|")
					if !assert.Equal(t, strings.TrimSpace(want), got, "step %q at %s", step, r.clock) {
						return
					}
					if again != "" {
						r.do(cfg, again)
					}
				}
			})
		}
	}
}
