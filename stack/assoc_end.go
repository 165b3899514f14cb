package stack

// EndErr returns how the association ended, an *EndError; nil while it lives.
func (a *Assoc) EndErr() error {
	e := a.End()
	if !e.Ended {
		return nil
	}
	return &EndError{e}
}
