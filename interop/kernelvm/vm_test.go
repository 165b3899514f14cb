package kernelvm

import (
	"os"
	"testing"
	"time"

	"github.com/gosctp/gosctp/interop/lab"
)

func TestMain(m *testing.M) {
	lab.CleanupOnSignal()
	code := m.Run()
	lab.Cleanup()
	os.Exit(code)
}

func TestDebug(t *testing.T) {
	p, err := lab.NewPrograms()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Go("guest", "..", "./kernelvm/guest"); err != nil {
		t.Fatal(err)
	}
	vm, err := Start(p.Path("guest"), p.Dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Stop()
	t.Log(vm.Boot)
	l := vm.Take()
	h, _ := lab.Run(l.Host, "sh", "-c", "ip addr; for i in 1 2 3; do ip neigh; cat /proc/net/dev; sleep 1; done")
	g, _ := lab.Run(l, "bash", "-c", "ip addr; (echo > /dev/tcp/10.99.2.1/7) & sleep 1; ip neigh; cat /proc/net/dev; ip route")
	g.CloseInput()
	g.WaitEnd(5 * time.Second)
	h.WaitEnd(5 * time.Second)
	t.Log(g.Output())
	t.Log(h.Output())
	t.Log(vm.Console())
}
