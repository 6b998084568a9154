package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Answer is what the findings receiver answers.
type Answer struct {
	Code     int `json:"-"`
	Accepted int `json:"accepted"`
	Invalid  []struct {
		Index int    `json:"index"`
		Error string `json:"error"`
	} `json:"invalid"`
	Error string `json:"error"`
}

// Post posts a body to url. Refusals are answers, not errors.
func Post(url, contentType string, body io.Reader) (Answer, error) {
	client := &http.Client{Timeout: time.Minute}
	var a Answer
	resp, err := client.Post(url, contentType, body)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	a.Code = resp.StatusCode
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("%s: answer %.200q: %w", resp.Status, text, err)
	}
	return a, nil
}

// ContentType is what a sender would call the text: JSON or plain.
func ContentType(text string) string {
	if text = strings.TrimLeft(text, "\uFEFF \t\r\n"); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return "application/json"
	}
	return "text/plain"
}
