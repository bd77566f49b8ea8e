// What a chat template tells of its model: whether it thinks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runners/remote/audit_findings.h"
#include "runners/sampling_config.h"

namespace gpqa {

struct ThoughtTags {
  std::string_view open;
  std::string_view close;
};

// One short chat as the server's template renders it.
struct Renderings {
  std::string on;    // enable_thinking: true
  std::string off;   // enable_thinking: false
  std::string sent;  // as the plan's requests say it
};

struct ThinkingView {
  std::string observed;               // of `sent`: "on", "off", "absent"
  std::optional<ThoughtTags> tags;    // of the family whose marks a rendering shows
  std::optional<std::string> opened;  // `sent` ends inside a thought: what follows its tag ("\n")
};

// A template thinks if asking for it changes what is rendered, or if it opens a thought by itself.
ThinkingView view_thinking(const Renderings& renderings);

// The rule. required: the template must think; one that isn't known must also show thought tags that are,
// or reasoning could not be told from answers. `force_template` turns both into notes. off: it must not
// think. absent: what is seen is kept.
void judge_thinking(Thinking wanted, const ThinkingView& view, std::string_view template_name,
                    bool force_template, AuditFindings& findings);

}  // namespace gpqa
