package perceptionpointreceiver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/collector/backoff"
)

// fetch asks for a page until it comes. Its error is errRestart for a page in the middle that cannot be had, else that of
// ctx or of a page that cannot be read.
func (s *stream) fetch(ctx context.Context, address string) (page, error) {
	isFirst := s.state.Window == nil || s.state.Window.Next == ""
	for tries := 1; ; tries++ {
		p, code, err := s.client.get(ctx, address)
		if ctx.Err() != nil {
			return p, ctx.Err()
		}
		s.metrics.request(ctx, s.name, code)
		if !p.date.IsZero() {
			if ahead := s.clock.learn(p.date); ahead.Abs() > maxClockError {
				s.logger.Warn("The clocks of this host and of the API differ; the API's is used", zap.Duration("ahead", ahead))
			}
		}
		if err == nil {
			s.failures.Reset()
			return p, nil
		}
		var answer *apiError
		var broken *pageError
		switch {
		case errors.As(err, &answer) && answer.refused():
			if err := s.refused(ctx, answer); err != nil {
				return p, err
			}
			continue
		case errors.As(err, &answer) && !isTransient(answer.code):
			if !isFirst {
				return p, fmt.Errorf("%w: %w", errRestart, err)
			}
		case errors.As(err, &broken) && tries >= badPageTries:
			if !isFirst {
				return p, fmt.Errorf("%w: %w", errRestart, err)
			}
			return p, err
		}
		var asked time.Duration
		if answer != nil {
			asked = answer.retryAfter
		}
		wait := waitAtLeast(asked, &s.failures)
		s.logger.Warn("Request failed; trying again", zap.Error(err), zap.Duration("wait", wait))
		s.health.failed(s.name, err)
		if err := backoff.Sleep(ctx, wait); err != nil {
			return p, err
		}
	}
}

// waitAtLeast returns the wait after one more failure. It is never below asked, which the API asked for.
func waitAtLeast(asked time.Duration, failures *backoff.Backoff) time.Duration {
	wait := failures.Jittered()
	if asked > 0 {
		wait = max(wait, asked+rand.N(asked/10+1)) // collectors that were asked together do not come back together
	}
	return wait
}

// isTransient reports answers that may get better without anybody doing something.
func isTransient(code int) bool {
	return code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
}

// refused waits until the token may be accepted again: it changed in its file, or some time has passed.
func (s *stream) refused(ctx context.Context, answer *apiError) error {
	const do = "make a new token in Perception Point X-Ray (Account > API) with the right to read %s, and put it into %s"
	if s.client.token.file == "" {
		err := fmt.Errorf("%w; "+do+", then restart", answer, s.name, "token")
		s.logger.Error("The API refuses the token", zap.Error(err))
		s.health.stuck(s.name, err)
		return backoff.Sleep(ctx, s.refusedWait)
	}
	// The status stays recoverable: the Collector knows no way back from a permanent one, and a new file is enough.
	err := fmt.Errorf("%w; "+do, answer, s.name, s.client.token.file)
	s.logger.Error("The API refuses the token; waiting for another in token_file", zap.Error(err))
	s.health.failed(s.name, err)
	for deadline := time.Now().Add(s.refusedWait); time.Now().Before(deadline); {
		if now, err := s.client.token.get(); err == nil && now != string(answer.token) {
			s.logger.Info("token_file holds another token")
			return nil
		}
		if err := backoff.Sleep(ctx, min(s.cfg.Interval, 10*time.Second)); err != nil {
			return err
		}
	}
	return nil
}
