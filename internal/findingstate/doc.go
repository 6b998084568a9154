// Package findingstate remembers findings between scans and says what is new about each finding that is reported again.
//
// A finding is known by its tenant and alert id. Of each the state holds about 140 bytes: hashes of its content and of each
// field, when it was seen first and last, when it last went on, and what people decided about it. Bodies are not kept.
//
// # On disk
//
// The state lies in any key-value storage that can write several keys at once:
//
//	meta          version, secret of the hashes, number of pages, first record of the log
//	p/<page>      entries whose hash falls into the page; pages split one by one as findings grow (linear hashing)
//	w/<number>    log: what one transaction changed; gone once the pages hold it
//	names, scope/ field names; tenants and accounts, which entries and log refer to by number
//	open          snapshots and scans that are not over
//	h/<scan>/<n>  records that wait for their scan to complete
//
// A batch is decided, delivered, and only then written to the log: a crash between delivery and log repeats records and never
// loses one. Pages are rewritten when many entries have changed; a crash in the middle of that is repaired from the log.
//
// In memory are a bounded cache of entries, scopes and names, open snapshots and scans, and nothing that grows with the
// findings.
package findingstate
