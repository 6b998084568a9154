package objectstore

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWrittenRoots(t *testing.T) {
	release := Claim(Destination{Endpoint: "https://s3.eu-central-1.amazonaws.com", Bucket: "claimed", Root: "/Panoptica/"})
	other := Claim(Destination{Endpoint: "HTTP://Minio:9000/", Bucket: "claimed"})
	assert.Equal(t, []string{"Panoptica"}, WrittenRoots("", "claimed"))
	assert.Equal(t, []string{"Panoptica"}, WrittenRoots("https://s3.amazonaws.com", "claimed"))
	assert.Equal(t, []string{""}, WrittenRoots("http://minio:9000", "claimed"))
	assert.Empty(t, WrittenRoots("http://minio:9001", "claimed"))
	assert.Empty(t, WrittenRoots("", "another"))
	release()
	assert.Empty(t, WrittenRoots("", "claimed"))
	defer Claim(Destination{Bucket: "spelled", Root: "my logs//../x"})()
	assert.Equal(t, []string{"my_logs/__/x"}, WrittenRoots("", "spelled"), "as keys have it")
	assert.True(t, UnderRoot(Partition{}.Key("my logs//../x", "f"), "my_logs/__/x"))
	other()
	assert.Empty(t, WrittenRoots("http://minio:9000", "claimed"))
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
