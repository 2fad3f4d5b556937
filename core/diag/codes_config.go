package diag

// configCodes are the mistakes of trailship.yaml: E100–E199 and W100–W199.
var configCodes = []Code{}
