package hostnet

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Following the host: events where the operating system sends them, else a look
// each second.

const (
	pollEvery = time.Second
	// quiet is how long nothing must happen until a change is over. The first
	// event of one may come before the kernel has carried it out.
	quiet = 50 * time.Millisecond
)

type watch struct {
	stop chan struct{}
	done chan struct{}
	ev   *events // nil: by looking
}

// Watch has changed called after each change of the host's addresses,
// interfaces or routes, from a goroutine of its own, with the old answers
// forgotten. A change that takes a while is told at once, and again when it is
// over. Unwatch ends it.
func (h *Host) Watch(changed func()) {
	w := &watch{stop: make(chan struct{}), done: make(chan struct{})}
	h.NS.Do(func() {
		if ev, err := newEvents(); err == nil {
			w.ev = ev
		}
	})
	h.mu.Lock()
	h.watch = w
	h.mu.Unlock()
	go h.follow(w, changed)
}

// Unwatch ends what Watch began, and waits for a call that is running.
func (h *Host) Unwatch() {
	h.mu.Lock()
	w := h.watch
	h.watch = nil
	h.mu.Unlock()
	if w != nil {
		close(w.stop)
		<-w.done
	}
}

func (h *Host) follow(w *watch, changed func()) {
	defer close(w.done)
	news := make(chan struct{}, 1)
	if w.ev != nil {
		failed := make(chan struct{})
		go func() {
			defer close(failed)
			for w.ev.next() == nil {
				select {
				case news <- struct{}{}:
				default:
				}
			}
		}()
		defer func() {
			w.ev.close()
			<-failed
		}()
		for h.told(w, news, failed, changed) {
		}
		select {
		case <-w.stop:
			return
		default: // no more events: look instead
		}
	}
	h.poll(w, changed)
}

// told waits for a change and tells of it. It returns false at the end, or if
// there will be no more news.
func (h *Host) told(w *watch, news, failed <-chan struct{}, changed func()) bool {
	select {
	case <-w.stop:
		return false
	case <-failed:
		return false
	case <-news:
	}
	began := time.Now()
	h.Forget()
	changed()
	// What takes long is not done all the time.
	pause := max(quiet, 10*time.Since(began))
	for {
		t := time.NewTimer(pause)
		select {
		case <-w.stop:
			t.Stop()
			return false
		case <-t.C:
		}
		again := false
		select {
		case <-news:
			again = true
		default:
		}
		h.Forget()
		changed()
		if !again {
			return true
		}
	}
}

// poll looks each second whether addresses or carriers have changed.
func (h *Host) poll(w *watch, changed func()) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	look := func() ([]netip.Addr, map[int]struct{}) {
		a, err := h.Addrs()
		if err != nil {
			return nil, nil
		}
		slices.SortFunc(a, netip.Addr.Compare)
		h.mu.Lock()
		defer h.mu.Unlock()
		return a, h.dark
	}
	addrs, dark := look()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
		h.Forget()
		a, d := look()
		if slices.Equal(a, addrs) && maps.Equal(d, dark) {
			continue
		}
		addrs, dark = a, d
		changed()
	}
}
