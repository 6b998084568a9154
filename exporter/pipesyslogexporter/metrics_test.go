package pipesyslogexporter

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// points is one data point, with attributes in pairs.
func points(value int64, attributes ...string) []metricdata.DataPoint[int64] {
	var set []attribute.KeyValue
	for i := 0; i+1 < len(attributes); i += 2 {
		set = append(set, attribute.String(attributes[i], attributes[i+1]))
	}
	return []metricdata.DataPoint[int64]{{Value: value, Attributes: attribute.NewSet(set...)}}
}
