package hostnet

// WatchByLooking is Watch where the operating system sends no events.
func (h *Host) WatchByLooking(changed func()) {
	w := &watch{stop: make(chan struct{}), done: make(chan struct{})}
	h.watch = w
	go h.follow(w, changed)
}
