// Package e2e tests the built collector, bin/siempipe, through its edges only. `make test` builds it first; without it
// every test here fails.
package e2e
