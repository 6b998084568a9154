package configschema

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
)

type base struct {
	// Timeout bounds an attempt,
	// retries aside.
	Timeout time.Duration `mapstructure:"timeout"`
}

type section struct {
	Secret configopaque.String `mapstructure:"secret"`
	Header string              `mapstructure:"header"`
}

type config struct {
	Base    base                             `mapstructure:",squash"`
	Mode    string                           `mapstructure:"mode"` // how it runs
	Section configoptional.Optional[section] `mapstructure:"section"`
	Sizes   []uint16                         `mapstructure:"sizes"`
	Tries   int                              `mapstructure:"tries"`
	Workers uint8                            `mapstructure:"workers"`
	Labels  map[string]string                `mapstructure:"labels"`
	Headers configopaque.MapList             `mapstructure:"headers"`
	Storage *component.ID                    `mapstructure:"storage"`
	Hidden  string                           `mapstructure:"-"`
	_       struct{}
}

func TestSchema(t *testing.T) {
	got, err := Schema("test/config", &config{
		Base: base{Timeout: time.Minute}, Mode: "fast", Section: configoptional.Default(section{Header: "X-Sig"}), Sizes: []uint16{7},
	}, Enums{"mode": {"fast", "slow"}, "section::header": {"X-Sig", "X-Other"}}, Minimums{"tries": 3})
	require.NoError(t, err)
	assert.JSONEq(t, `{
	  "$schema": "https://json-schema.org/draft/2020-12/schema",
	  "$id": "github.com/siempipe/siempipe/internal/collector/configschema",
	  "title": "test/config",
	  "type": "object",
	  "properties": {
	    "timeout": {"type": "string", "default": "1m0s", "pattern": "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$"},
	    "mode": {"type": "string", "default": "fast", "enum": ["fast", "slow"]},
	    "section": {
	      "type": ["object", "null"],
	      "properties": {
	        "secret": {"type": "string"},
	        "header": {"type": "string", "default": "X-Sig", "enum": ["X-Sig", "X-Other"]}
	      },
	      "additionalProperties": false
	    },
	    "sizes": {"type": "array", "items": {"type": "integer", "minimum": 0}, "default": [7]},
	    "tries": {"type": "integer", "minimum": 3, "default": 0},
	    "workers": {"type": "integer", "minimum": 0, "default": 0},
	    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
	    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
	    "storage": {"type": "string"}
	  },
	  "additionalProperties": false
	}`, string(got))
}

func TestSchemaDescribesKeysByTheirComments(t *testing.T) {
	texts := map[string]map[string]string{}
	require.NoError(t, addTypes(texts, "p.go", `package p
type C struct {
	// Timeout bounds an attempt,
	// retries aside.
	Timeout, Delay int
	Mode string // how it runs
	Plain string
}`))
	assert.Equal(t, map[string]map[string]string{"C": {
		"Timeout": "Timeout bounds an attempt, retries aside.", "Delay": "Timeout bounds an attempt, retries aside.",
		"Mode": "how it runs", "Plain": "",
	}}, texts)
}

type unspeakable struct {
	Events chan int `mapstructure:"events"`
}

func TestSchemaRefusesWhatItCannotSay(t *testing.T) {
	_, err := Schema("test/enum", &config{}, Enums{"mood": {"good"}})
	require.ErrorContains(t, err, "values for mood")
	_, err = Schema("test/minimum", &config{}, nil, Minimums{"mode": 1})
	require.ErrorContains(t, err, "a minimum for mode")
	_, err = Schema("test/type", &unspeakable{}, nil)
	require.ErrorContains(t, err, "events: no schema for chan int")
}
