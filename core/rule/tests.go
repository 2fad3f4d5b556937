package rule

func (b *builder) checkTests() {}
