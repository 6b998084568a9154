package logrecord

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// SetMapBody replaces the string body of a record, a JSON object, by a map of it, for processors that work on maps.
// Integers that fit 64 bits become ints, other numbers doubles. Of a repeated name the last value wins.
func SetMapBody(lr plog.LogRecord) error {
	members, _, err := jsonscan.Members(nil, lr.Body().Str())
	if err != nil {
		return err
	}
	return setMap(members, lr.Body().SetEmptyMap())
}

func setMap(members []jsonscan.Member, to pcommon.Map) error {
	to.EnsureCapacity(len(members))
	for i := range members {
		m := &members[i]
		if err := setValue(m, to.PutEmpty(m.Key())); err != nil {
			return err
		}
	}
	return nil
}

func setValue(m *jsonscan.Member, to pcommon.Value) error {
	switch m.Kind {
	case jsonscan.String:
		to.SetStr(m.Text())
	case jsonscan.Bool:
		to.SetBool(m.Value == "true")
	case jsonscan.Number:
		if n, err := strconv.ParseInt(m.Value, 10, 64); err == nil {
			to.SetInt(n)
			return nil
		}
		f, err := strconv.ParseFloat(m.Value, 64)
		if err != nil { // beyond a double: the digits are worth more than an infinity
			to.SetStr(m.Value)
			return nil
		}
		to.SetDouble(f)
	case jsonscan.Object:
		members, _, err := jsonscan.Members(nil, m.Value)
		if err != nil {
			return err
		}
		return setMap(members, to.SetEmptyMap())
	case jsonscan.Array:
		elements, err := jsonscan.Elements(nil, m.Value)
		if err != nil {
			return err
		}
		slice := to.SetEmptySlice()
		slice.EnsureCapacity(len(elements))
		for i := range elements {
			if err := setValue(&elements[i], slice.AppendEmpty()); err != nil {
				return err
			}
		}
	}
	return nil
}
