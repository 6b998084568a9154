package detectionprocessor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/siempipe/siempipe/processor/detectionprocessor/internal/metadatatest"
)

// brokenStorage is a storage whose batches fail while broken is set.
type brokenStorage struct {
	component.StartFunc
	component.ShutdownFunc
	storage.Client
	broken bool
}

func (s *brokenStorage) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return s, nil
}

func (s *brokenStorage) Batch(context.Context, ...*storage.Operation) error {
	if s.broken {
		return errors.New("disk full")
	}
	return nil
}

// TestMetrics counts what comes of records, and goes on while the storage fails.
func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("a.yml", "title: T\nname: boom\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName: Boom}, condition: s}\nsiempipe: {title: 'by {who}', threshold: 2}\n")
	write("b.yml", "title: broken\n")
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := metadatatest.NewSettings(tel)
	ext := &brokenStorage{Client: storage.NewNopClient(), broken: true}
	id := component.MustNewID("file_storage")
	cfg := createDefaultConfig().(*Config)
	cfg.Rules, cfg.Storage, cfg.MaxWindows = []string{filepath.Join(dir, "*.yml")}, &id, 2
	s := &sink{}
	p, err := NewFactory().CreateLogs(t.Context(), set, cfg, s)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), host{id: ext}))
	defer func() { require.NoError(t, p.Shutdown(context.Background())) }()
	boom := func(id, who string, at time.Duration) event {
		return event{"AWS.CloudTrail", id, fmt.Sprintf(`{"eventName":"Boom","who":%s}`, who), start.Add(at)}
	}
	for _, e := range []event{
		boom("1", `"a"`, time.Minute), boom("1", `"a"`, time.Minute), boom("2", `"a"`, 0), // one twice, one late
		boom("3", "null", 0), boom("4", `"b"`, 0), // a template that cannot be filled; one window too many
	} {
		require.NoError(t, p.ConsumeLogs(t.Context(), logsOf(e)))
	}
	require.Len(t, s.findings(), 1)
	opts := []metricdatatest.Option{metricdatatest.IgnoreTimestamp()}
	processor := attribute.String("processor", set.ID.String())
	byRule := attribute.NewSet(attribute.String("rule", "boom"), processor)
	one := func(n int64, attrs attribute.Set) []metricdata.DataPoint[int64] {
		return []metricdata.DataPoint[int64]{{Value: n, Attributes: attrs}}
	}
	none := attribute.NewSet(processor)
	metadatatest.AssertEqualProcessorDetectionMatches(t, tel, one(5, byRule), opts...)
	metadatatest.AssertEqualProcessorDetectionFindings(t, tel, one(1, byRule), opts...)
	metadatatest.AssertEqualProcessorDetectionTemplateErrors(t, tel, one(1, byRule), opts...)
	metadatatest.AssertEqualProcessorDetectionRecordsDuplicate(t, tel, one(1, none), opts...)
	metadatatest.AssertEqualProcessorDetectionRecordsLate(t, tel, one(1, none), opts...)
	metadatatest.AssertEqualProcessorDetectionWindows(t, tel, one(2, none), opts...)
	metadatatest.AssertEqualProcessorDetectionWindowsEvicted(t, tel, one(1, none), opts...)
	metadatatest.AssertEqualProcessorDetectionStorageErrors(t, tel, one(5, none), opts...)
	metadatatest.AssertEqualProcessorDetectionRules(t, tel, []metricdata.DataPoint[int64]{
		{Value: 1, Attributes: attribute.NewSet(attribute.String("state", "active"), processor)},
		{Value: 1, Attributes: attribute.NewSet(attribute.String("state", "broken"), processor)},
	}, opts...)
	_, err = tel.GetMetric("otelcol_processor_detection_windows_bytes")
	assert.NoError(t, err)
}
