package rule

import (
	"crypto/sha256"
	"encoding/base64"
	"reflect"
	"strings"
)

// shape is a hash of the block of a rule that remembers. What is remembered is
// good for as long as it stays: it is the same for two ways to write the same
// block.
func (b *builder) shape(form string, doc any) string {
	block, _ := asData(reflect.ValueOf(doc)).(map[string]any)
	text, _ := appendJSON([]byte(form), plainly(block), 1<<20)
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// plainly writes a block in one way: a list of one key as the key, a step that
// wants one event without its count, expressions without space around them.
func plainly(block map[string]any) map[string]any {
	for name, v := range block {
		switch v := v.(type) {
		case string:
			block[name] = strings.TrimSpace(v)
		case []any:
			if len(v) == 1 && (name == "by" || name == "per") {
				block[name] = v[0]
			}
			for _, step := range v {
				if step, ok := step.(map[string]any); ok {
					plainly(step)
				}
			}
		case int:
			if name == "count" && v == 1 && block["condition"] != nil {
				block[name] = 0
			}
		}
	}
	return block
}
