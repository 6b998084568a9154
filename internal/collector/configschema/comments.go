package configschema

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// comments are the comments of struct fields: package path → type → field → one line of text.
type comments map[string]map[string]map[string]string

// of are the comments of the fields of t, read from the source of its package.
func (c comments) of(t reflect.Type) (map[string]string, error) {
	types, known := c[t.PkgPath()]
	if !known {
		var err error
		if types, err = parse(t.PkgPath()); err != nil {
			return nil, err
		}
		c[t.PkgPath()] = types
	}
	return types[t.Name()], nil
}

func parse(path string) (map[string]map[string]string, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	pkg, err := build.Import(path, here, build.FindOnly)
	if err != nil {
		return nil, fmt.Errorf("source of %s: %w", path, err)
	}
	files, err := filepath.Glob(filepath.Join(pkg.Dir, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("source of %s: no file in %s: %w", path, pkg.Dir, err)
	}
	types := map[string]map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if err := addTypes(types, name, nil); err != nil {
			return nil, fmt.Errorf("source of %s: %w", path, err)
		}
	}
	return types, nil
}

// addTypes adds the structs of a file; source, unless nil, is its text.
func addTypes(types map[string]map[string]string, name string, source any) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for node := range ast.Preorder(file) {
		spec, isType := node.(*ast.TypeSpec)
		if !isType {
			continue
		}
		if body, isStruct := spec.Type.(*ast.StructType); isStruct {
			types[spec.Name.Name] = fields(body)
		}
	}
	return nil
}

func fields(body *ast.StructType) map[string]string {
	texts := map[string]string{}
	for _, field := range body.Fields.List {
		group := field.Doc
		if group == nil {
			group = field.Comment
		}
		for _, name := range field.Names {
			texts[name.Name] = strings.Join(strings.Fields(group.Text()), " ")
		}
	}
	return texts
}
