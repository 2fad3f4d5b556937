package rule

// revoked are the ATT&CK ids cloud rules used that v19 (April 2026) revoked,
// and what they became.
var revoked = map[string]string{
	"T1562.008": "T1685.002", // Disable or Modify Cloud Logs
}
