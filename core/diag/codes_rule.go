package diag

// ruleCodes are the mistakes of rule files: E200–E399 and W200–W399.
var ruleCodes = []Code{}
