package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

var errBroken = errors.New("not a window")

// hash is a number for an id or value, never 0; the empty text has 0, none. It is the same in every process.
func hash(text string) uint64 {
	if text == "" {
		return 0
	}
	// Ids are chosen by senders, who must not be able to make two collide.
	sum := sha256.Sum256([]byte(text))
	return max(binary.LittleEndian.Uint64(sum[:]), 1)
}

// alertID is the id of the finding of a rule, tenant, dedup string and window: the same again when the same records come
// again.
func alertID(rule, tenant, dedup string, start int64) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"siempipe", rule, tenant, dedup, strconv.FormatInt(start, 10)}, "\x00")))
	return hex.EncodeToString(sum[:16])
}
