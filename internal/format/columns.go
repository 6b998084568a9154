package format

// Column describes a column of a log format's rows, for documentation.
type Column struct {
	Name     string
	Type     string // as Panther's tables write it
	Required bool
	// Indicators name the p_any_ fields that its value goes to; of a column with fields, those that theirs go to.
	Indicators []string
	// EventTime says that p_event_time is its value, Account that the record's account is.
	EventTime, Account bool
}

// Columns are the columns of the format's rows without the standard ones, in the order of the table; none for findings and
// scans.
func (f *Format) Columns() []Column {
	if f.log == nil {
		return nil
	}
	var columns []Column
	for i := range f.log.table.fields {
		c := &f.log.table.fields[i]
		column := Column{Name: c.name, Type: c.typeName(), Required: c.required, EventTime: c.time != 0, Account: c.hasAccount()}
		found := map[indicator]bool{}
		c.indicators(found)
		for i := range numIndicators {
			if found[i] {
				column.Indicators = append(column.Indicators, indicatorNames[i])
			}
		}
		columns = append(columns, column)
	}
	return columns
}

func (c *column) hasAccount() bool {
	if c.account != 0 {
		return true
	}
	for i := range c.fields {
		if c.fields[i].hasAccount() {
			return true
		}
	}
	return false
}

// feedIndicators are those that a feed may add to.
var feedIndicators = [...][]indicator{
	feedIP:       {anyIP},
	feedNetAddr:  {anyIP},
	feedDomain:   {anyDomain},
	feedDNSName:  {anyDomain},
	feedHost:     {anyIP, anyDomain},
	feedARN:      {anyARN, anyAccount, anyInstance, anyEmail},
	feedAccount:  {anyAccount},
	feedInstance: {anyInstance},
	feedSHA256:   {anySHA256},
	feedTrace:    {anyTrace},
	feedUser:     {anyUsername, anyEmail},
	feedAnswers:  {anyIP, anyDomain},
	feedExtract:  {anyIP, anyDomain, anyARN, anyAccount, anyInstance, anyTag, anyEmail},
}

func (c *column) indicators(found map[indicator]bool) {
	for _, i := range feedIndicators[c.feed] {
		found[i] = true
	}
	for i := range c.fields {
		c.fields[i].indicators(found)
	}
}
