// SPDX-License-Identifier: Apache-2.0

// Package rules decides which paths a list of patterns names; several plugins may share it.
package rules

import (
	"fmt"
	"strings"
)

// Set is a list of patterns: an exact path, or a prefix that ends in "*".
type Set struct {
	exact    map[string]bool
	prefixes []string
}

// Parse reads the patterns; one that does not begin with "/" would never match, so it is refused.
func Parse(patterns []string) (Set, error) {
	set := Set{exact: map[string]bool{}}
	for _, pattern := range patterns {
		if !strings.HasPrefix(pattern, "/") {
			return Set{}, fmt.Errorf("pattern %q does not begin with /", pattern)
		}
		if prefix, found := strings.CutSuffix(pattern, "*"); found {
			set.prefixes = append(set.prefixes, prefix)
		} else {
			set.exact[pattern] = true
		}
	}
	return set, nil
}

// Match tells whether the path of target, which may have a query, is named by the set.
func (s Set) Match(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	if s.exact[path] {
		return true
	}
	for _, prefix := range s.prefixes {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
