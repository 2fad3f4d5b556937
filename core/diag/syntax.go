package diag

import "gopkg.in/yaml.v3"

func (f *File) syntax(_ *yaml.Decoder, err error) Diagnostic {
	return f.at(1, 1, "E001", "%v", err)
}
