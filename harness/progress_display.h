// Shows progress on stderr: one line redrawn in place on a terminal, now and then a plain line elsewhere.
#pragma once

#include <string>

#include "harness/evaluate.h"
#include "harness/progress.h"

namespace gpqa {

// stderr is a terminal that can go back to the start of its line.
bool can_redraw();

class ProgressDisplay final : public EvaluationObserver {
 public:
  ProgressDisplay(const std::string& name, std::int64_t total, const RunRecord& run);
  ~ProgressDisplay() override;  // the last state stays

  void on_delta(TrialId id, std::string_view text) override;
  void on_record(const TrialRecord& record) override;
  void on_event(std::string_view what) override;

 private:
  void show(double now, bool last);

  std::string name_;
  ProgressMeter meter_;
  bool terminal_;
  double shown_at_;
  bool drawn_ = false;
};

}  // namespace gpqa
