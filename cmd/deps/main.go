// Command deps checks the direction of imports between the project's folders, and that the core reaches no OpenTelemetry package.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

const module = "github.com/siempipe/siempipe/"

// order is the house from the ground up: a package imports packages of folders above it in this list, and of its own folder.
// Of several folders that hold a package the longest counts. docs/architecture.md says what is in each.
var order = []string{
	"internal/record",
	"internal/jsonscan",
	"internal/perceptionpoint",
	"internal/schema/panoptica",
	"internal/format",
	"internal/read",
	"internal/process",
	"internal/schema",
	"internal/detect",
	"internal/findingstate",
	"internal/encode",
	"internal/cloud",
	"internal/deliver",
	"fluentbit/msgpackjson",
	"fluentbit",
	endOfCore,
	"internal/collector",
	"rules",
	"receiver",
	"processor",
	"exporter",
	"extension",
	"internal/test",
	"bench",
	"cmd",
}

// endOfCore stands behind the folders that must not reach the Collector's packages.
const endOfCore = "the end of the core"

// maxRooms is how many entries internal/ may have: more are no map any more.
const maxRooms = 15

func main() {
	problems, packages, err := check()
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, "deps:", p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "deps:", err)
	}
	if err != nil || len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Printf("deps: the imports of %d packages run one way\n", packages)
}

func check() (problems []string, packages int, err error) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}|{{join .Imports \" \"}}|{{join .Deps \" \"}}", "./...").Output()
	if err != nil {
		return nil, 0, fmt.Errorf("go list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.SplitN(strings.TrimSpace(line), "|", 3)
		packages++
		problems = append(problems, checkPackage(strings.TrimPrefix(fields[0], module), strings.Fields(fields[1]), strings.Fields(fields[2]))...)
	}
	rooms, err := os.ReadDir("internal")
	if err == nil && len(rooms) > maxRooms {
		problems = append(problems, fmt.Sprintf("internal/ has %d entries, want at most %d", len(rooms), maxRooms))
	}
	return problems, packages, err
}

// checkPackage says what is wrong with the imports of one package, and with all that it reaches.
func checkPackage(pkg string, imports, reaches []string) (problems []string) {
	folder, at := folderOf(pkg)
	if at < 0 {
		return []string{pkg + " is in no folder of cmd/deps"}
	}
	for _, name := range imports {
		name, ours := strings.CutPrefix(name, module)
		if !ours {
			continue
		}
		other, otherAt := folderOf(name)
		switch {
		case other == folder:
		case otherAt < 0:
			problems = append(problems, fmt.Sprintf("%s imports %s, which is in no folder of cmd/deps", pkg, name))
		case otherAt > at:
			problems = append(problems, fmt.Sprintf("%s imports %s: %s comes after %s in cmd/deps", pkg, name, other, folder))
		}
	}
	if at < slices.Index(order, endOfCore) {
		for _, name := range reaches {
			if strings.HasPrefix(name, "go.opentelemetry.io/") {
				problems = append(problems, fmt.Sprintf("%s reaches %s: the core is for hosts that are no Collector, too", pkg, name))
			}
		}
	}
	return problems
}

// folderOf finds the longest folder of order that holds a package, and its place; -1 when there is none.
func folderOf(pkg string) (folder string, at int) {
	for dir := pkg; dir != "."; dir = path.Dir(dir) {
		if at := slices.Index(order, dir); at >= 0 {
			return dir, at
		}
	}
	return "", -1
}
