package ingest

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// place is where events happen.
type place struct{ account, region string }

// other is the place of events whose own place is not shown: their records name
// none, or something that cannot be one, or there are too many.
var other = place{"other", "other"}

const (
	// maxPlaces bounds the accounts and regions of a source that are told
	// apart: whoever can write a trail can invent more.
	maxPlaces = 1000
	// maxPlaceName is the longest name an account or region can have, in bytes.
	maxPlaceName = 64
)

// places are the newest events by place. The zero value has none.
type places struct {
	all  map[place]*spot
	last *spot // of the event before
}

type spot struct {
	place
	newest time.Time
}

// saw notes an event. The names may be gone with the record.
func (p *places) saw(account, region string, t time.Time) {
	if p.last == nil || p.last.account != account || p.last.region != region {
		p.last = p.find(place{account, region})
	}
	if t.After(p.last.newest) {
		p.last.newest = t
	}
}

func (p *places) find(of place) *spot {
	if known := p.all[of]; known != nil {
		return known
	}
	if len(p.all) >= maxPlaces || !of.plain() {
		if known := p.all[other]; known != nil {
			return known
		}
		of = other
	}
	if p.all == nil {
		p.all = map[place]*spot{}
	}
	of = place{strings.Clone(of.account), strings.Clone(of.region)}
	p.all[of] = &spot{place: of}
	return p.all[of]
}

// plain says that a place can be one.
func (p place) plain() bool {
	for _, name := range []string{p.account, p.region} {
		if name == "" || len(name) > maxPlaceName {
			return false
		}
		for _, c := range []byte(name) {
			if c <= ' ' || c > '~' {
				return false
			}
		}
	}
	return true
}

// lag reports how far behind the clock the newest events are, of each source
// and of each account and region in it, at the moment it is asked. Safe for
// concurrent use.
type lag struct {
	mu     sync.Mutex
	newest map[string]time.Time
	places map[string]map[place]time.Time
}

func newLag() *lag {
	return &lag{newest: map[string]time.Time{}, places: map[string]map[place]time.Time{}}
}

var (
	lagDesc = prometheus.NewDesc("trailship_source_lag_seconds",
		"Age of the newest event committed.", []string{"source"}, nil)
	placeLagDesc = prometheus.NewDesc("trailship_source_account_lag_seconds",
		"Age of the newest event committed of an account in a region; of more than 1,000 of them the rest is other.", []string{"source", "account", "region"}, nil)
)

func (l *lag) saw(source string, newest time.Time, seen places) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if newest.After(l.newest[source]) {
		l.newest[source] = newest
	}
	all := l.places[source]
	if all == nil {
		all = map[place]time.Time{}
		l.places[source] = all
	}
	for at, s := range seen.all {
		if _, known := all[at]; !known && len(all) >= maxPlaces {
			at = other
		}
		if s.newest.After(all[at]) {
			all[at] = s.newest
		}
	}
}

// Describe and Collect make lag a prometheus.Collector.
func (l *lag) Describe(ch chan<- *prometheus.Desc) { ch <- lagDesc; ch <- placeLagDesc }

// Collect sends a gauge per source that had an event, and one per place.
func (l *lag) Collect(ch chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for source, t := range l.newest {
		ch <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, now.Sub(t).Seconds(), source)
	}
	for source, all := range l.places {
		for at, t := range all {
			ch <- prometheus.MustNewConstMetric(placeLagDesc, prometheus.GaugeValue, now.Sub(t).Seconds(), source, at.account, at.region)
		}
	}
}
