package objectstore

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestClaims(t *testing.T) {
	var c Claims
	release := c.Claim(Destination{Endpoint: "https://s3.eu-central-1.amazonaws.com", Bucket: "claimed", Root: "/Panoptica/"})
	other := c.Claim(Destination{Endpoint: "HTTP://Minio:9000/", Bucket: "claimed"})
	assert.Equal(t, []string{"Panoptica"}, c.Roots("", "claimed"))
	assert.Equal(t, []string{"Panoptica"}, c.Roots("https://s3.amazonaws.com", "claimed"))
	assert.Equal(t, []string{""}, c.Roots("http://minio:9000", "claimed"))
	assert.Empty(t, c.Roots("http://minio:9001", "claimed"))
	assert.Empty(t, c.Roots("", "another"))
	release()
	assert.Empty(t, c.Roots("", "claimed"))
	defer c.Claim(Destination{Bucket: "spelled", Root: "my logs//../x"})()
	assert.Equal(t, []string{"my_logs/__/x"}, c.Roots("", "spelled"), "as keys have it")
	assert.True(t, UnderRoot(Partition{}.Key("my logs//../x", "f"), "my_logs/__/x"))
	other()
	assert.Empty(t, c.Roots("http://minio:9000", "claimed"))
}

func TestUnderRoot(t *testing.T) {
	for _, test := range []struct {
		key, root string
		want      bool
	}{
		{"Panoptica/x", "Panoptica", true}, {"Panoptica", "Panoptica", true}, {"PanopticaNot/x", "Panoptica", false}, {"x", "Panoptica", false},
		{"", "Panoptica", false}, {"x", "", true}, {"a/b/c", "a/b", true},
	} {
		assert.Equal(t, test.want, UnderRoot(test.key, test.root), "%+v", test)
	}
}
