#include "runners/remote/chat_templates.h"

#include <array>

namespace gpqa {
namespace {

struct Family {
  ThoughtTags tags;
  std::string_view asks;  // what makes the model think, where the template says it in words
};
constexpr std::array kFamilies = {Family{{"<|channel>thought", "<channel|>"}, "<|think|>"},
                                  Family{{"<think>", "</think>"}, "<think>"}};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool shows(const Family& family, std::string_view rendered) {
  return contains(rendered, family.tags.open) || contains(rendered, family.asks);
}

// What follows a tag that nothing but white space follows.
std::optional<std::string> after_last(std::string_view rendered, std::string_view tag) {
  const auto at = rendered.rfind(tag);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  const auto rest = rendered.substr(at + tag.size());
  return rest.find_first_not_of(" \t\r\n") == std::string_view::npos ? std::optional(std::string(rest))
                                                                     : std::nullopt;
}

}  // namespace

ThinkingView view_thinking(const Renderings& renderings) {
  ThinkingView view;
  for (const auto& family : kFamilies) {
    if (shows(family, renderings.on) || shows(family, renderings.off) || shows(family, renderings.sent)) {
      view.tags = family.tags;
      view.opened = after_last(renderings.sent, family.tags.open);
      break;
    }
  }
  if (renderings.on != renderings.off) {
    view.observed = renderings.sent == renderings.off ? "off" : "on";
  } else {
    view.observed = view.opened ? "on" : "absent";
  }
  return view;
}

void judge_thinking(Thinking wanted, const ThinkingView& view, std::string_view template_name,
                    bool force_template, AuditFindings& findings) {
  const bool on = view.observed == "on";
  switch (wanted) {
    case Thinking::required:
      if (!on && force_template) {
        findings.note("the template shows no thinking; the plan goes on with it all the same");
      } else if (!on) {
        findings.refuse(
            "the served model's template ({}) doesn't think, and the plan requires it. Serve a model that "
            "does, or say that this one can't: thinking = \"absent\" (--set thinking=absent)",
            template_name);
      } else if (template_name == "unknown" && !view.tags && force_template) {
        findings.note("the template is unknown and shows no thought tags known here; the plan goes on");
      } else if (template_name == "unknown" && !view.tags) {
        findings.refuse(
            "the served model's template is unknown and shows no thought tags known here (<|channel>thought, "
            "<think>): reasoning could not be told from answers. If the server splits them, set "
            "force_template = true for this server in the plan");
      }
      break;
    case Thinking::off:
      if (on) {
        findings.refuse(
            "the served model's template ({}) thinks although it is asked not to: plan it with thinking = "
            "\"required\", or serve it with a template that knows enable_thinking",
            template_name);
      }
      break;
    case Thinking::absent:
      if (on) {
        findings.note(
            "the plan says nothing of thinking to the server (thinking = \"absent\"), and its template "
            "thinks "
            "by default");
      }
      break;
  }
}

}  // namespace gpqa
