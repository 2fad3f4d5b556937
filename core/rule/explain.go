package rule

// sourceText is a condition as it was written, with what it may name.
type sourceText struct {
	text  string
	scope *scope
}
