package diag

import (
	"fmt"

	"github.com/agext/levenshtein"
)

// Suggest is ` (did you mean "x"?)` for the candidate most like word, or ""
// when none is at least half like it. Of equals the first wins.
func Suggest(word string, candidates []string) string {
	if best := closest(word, candidates); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return ""
}

// longestWord bounds the work: nobody mistypes a word longer than this.
const longestWord = 200

func closest(word string, candidates []string) string {
	best, score := "", 0.5
	if len(word) > longestWord {
		return ""
	}
	for _, c := range candidates {
		if s := levenshtein.Similarity(word, c, nil); c != word && len(c) <= longestWord && (s > score || best == "" && s == score) {
			best, score = c, s
		}
	}
	return best
}
