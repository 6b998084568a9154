// Package exporterbase is what all exporters share: requests that keep partitions apart in the queue and in every batch, their
// stored form, health, what is tried again, and the queue that survives a kill.
//
// An exporter adds what is its own in one Settings value: which partition a record belongs to, what of a record waits in the
// queue, how both are stored, and Send, which delivers one part of a request.
//
//	base, err := exporterbase.New(ctx, set, exporterbase.Settings[string, record.Record]{
//		Queue: cfg.QueueConfig, Retry: cfg.RetryConfig, Timeout: cfg.TimeoutConfig,
//		Form:     exporterbase.Form[string, record.Record]{Version: 1, Keys: exporterbase.Texts, Items: exporterbase.Records},
//		NewBatch: func() exporterbase.Partitioner[string] { return func(rec *record.Record) string { return rec.TenantID } },
//		Item:     func(rec *record.Record) record.Record { return *rec },
//		Send:     func(ctx context.Context, p *exporterbase.Part[string, record.Record]) error { … },
//	})
package exporterbase
