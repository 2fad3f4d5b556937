package rawjson

// scalar scans a literal or a number.
func scalar(b []byte, i int) (int, Status) {
	switch b[i] {
	case 't':
		return literal(b, i, "true")
	case 'f':
		return literal(b, i, "false")
	case 'n':
		return literal(b, i, "null")
	}
	return number(b, i)
}

func literal(b []byte, i int, want string) (int, Status) {
	for n := range len(want) {
		if i+n >= len(b) {
			return i + n, More
		}
		if b[i+n] != want[n] {
			return i + n, Bad
		}
	}
	return i + len(want), OK
}

func number(b []byte, i int) (int, Status) {
	if b[i] == '-' {
		i++
	}
	start := i
	i, st := digits(b, i)
	if st != OK {
		return i, st
	}
	if b[start] == '0' && i > start+1 {
		return start + 1, Bad
	}
	if i < len(b) && b[i] == '.' {
		if i, st = digits(b, i+1); st != OK {
			return i, st
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digits(b, i)
	}
	return i, OK
}

// digits scans one digit or more.
func digits(b []byte, i int) (int, Status) {
	if i >= len(b) {
		return i, More
	}
	start := i
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	if i == start {
		return i, Bad
	}
	return i, OK
}
