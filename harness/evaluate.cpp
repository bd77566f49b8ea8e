#include "harness/evaluate.h"

#include <exception>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "scoring/score.h"

namespace gpqa {
namespace {

std::uint32_t sent_seed(const Trial& trial, const SamplingConfig& sampling) {
  switch (sampling.seed_rule) {
    case SeedRule::per_trial:
      return trial.seed;
    case SeedRule::constant:
      return sampling.constant_seed;
    case SeedRule::server:
      return 0;
  }
  return 0;
}

Transcript make_transcript(const Trial& trial, Completion completion) {
  Transcript transcript;
  transcript.id = trial.id;
  transcript.prompt = trial.prompt;
  transcript.choices = trial.choices;
  transcript.reasoning = std::move(completion.reasoning);
  transcript.content = std::move(completion.content);
  transcript.raw = std::move(completion.raw);
  transcript.sampled_with = std::move(completion.sampled_with);
  return transcript;
}

// Both ends of a runner: what it asks for, and what it brings.
class Evaluation final : public RequestSource, public Sink {
 public:
  Evaluation(std::span<const Trial> pending, const SamplingConfig& sampling, RunJournal& journal,
             EvaluationObserver& observer, std::stop_token stop)
      : pending_(pending),
        sampling_(sampling),
        journal_(journal),
        observer_(observer),
        outer_(std::move(stop)) {}

  std::optional<Request> next() override {
    if (next_ == pending_.size() || stop_.stop_requested()) return std::nullopt;
    const Trial& trial = pending_[next_++];
    running_.emplace(trial.id, &trial);
    return Request{trial.id, trial.prompt, trial.seed};
  }

  void on_delta(TrialId id, std::string_view text) override { observer_.on_delta(id, text); }

  void on_done(Completion completion) override {
    guarded([&] { take(std::move(completion)); });
  }

  void on_event(std::string_view what) override {
    guarded([&] {
      journal_.note(with_running(what));
      observer_.on_event(what);
    });
  }

  void on_tick() override {
    guarded([&] { journal_.commit_due(); });
  }

  EvaluationResult run(Runner& runner) {
    runner.run(*this, *this, stop_.get_token());
    if (error_) std::rethrow_exception(error_);
    journal_.commit();
    if (!running_.empty())
      throw std::logic_error(fmt::format("the runner left {} requests without an answer", running_.size()));
    result_.stopped = result_.cancelled > 0 || next_ < pending_.size();
    if (result_.stopped && !stop_.stop_requested())
      throw std::logic_error(
          fmt::format("the runner ended with {} trials not asked", pending_.size() - next_));
    return result_;
  }

 private:
  // Nothing is thrown through the runner: it may hold connections that must be closed in order.
  template <class Step>
  void guarded(Step&& step) {
    if (error_) return;  // of the journal: what still comes in is not kept, and a later run asks it again
    try {
      step();
    } catch (...) {
      error_ = std::current_exception();
      stop_.request_stop();
    }
  }

  std::string with_running(std::string_view what) const {
    std::string text(what);
    if (running_.empty()) return text;
    text += "; asked then:";
    for (const auto& [id, trial] : running_)
      text += id.repeat == 0 ? fmt::format(" {}", id.doc_id) : fmt::format(" {}/{}", id.doc_id, id.repeat);
    return text;
  }

  void take(Completion completion) {
    const auto found = running_.find(completion.id);
    if (found == running_.end())
      throw std::logic_error(fmt::format("an answer that nobody asked for: question {}, repeat {}",
                                         completion.id.doc_id, completion.id.repeat));
    const Trial& trial = *found->second;
    running_.erase(found);
    if (completion.outcome == Outcome::cancelled) {
      ++result_.cancelled;
      return;
    }
    const auto record = make_record(trial, completion, sampling_);
    journal_.append(record, make_transcript(trial, std::move(completion)));
    ++result_.recorded;
    if (record.outcome == Outcome::failed) ++result_.failed;
    observer_.on_record(record);
  }

  std::span<const Trial> pending_;
  const SamplingConfig& sampling_;
  RunJournal& journal_;
  EvaluationObserver& observer_;
  std::stop_source stop_;  // asked by the caller's token, or by an error of the journal
  std::stop_token outer_;
  std::stop_callback<std::function<void()>> forward_{outer_, [this] { stop_.request_stop(); }};
  std::map<TrialId, const Trial*> running_;
  std::size_t next_ = 0;
  std::exception_ptr error_;
  EvaluationResult result_;
};

}  // namespace

std::vector<Trial> pending_trials(std::span<const Trial> trials, const RunRecord& run) {
  std::set<TrialId> kept;
  for (const auto& record : run.trials)
    if (record.outcome != Outcome::failed) kept.insert(record.id);
  std::vector<Trial> pending;
  for (const auto& trial : trials)
    if (kept.count(trial.id) == 0) pending.push_back(trial);
  return pending;
}

TrialRecord make_record(const Trial& trial, const Completion& completion, const SamplingConfig& sampling) {
  TrialRecord record;
  record.id = trial.id;
  record.record_id = trial.record_id;
  record.target = trial.target();
  record.prompt_hash = trial.prompt_hash;
  record.seed = sent_seed(trial, sampling);
  record.outcome = completion.outcome;
  record.finish_reason = completion.finish_reason;
  record.error = completion.error;
  const std::string nothing(kInvalid);
  record.score = completion.outcome == Outcome::failed
                     ? Score{{nothing, false}, {nothing, false}}
                     : score(completion.content, trial.choices, record.target);
  record.tokens = completion.tokens;
  record.retries = completion.retries;
  record.timing = completion.timing;
  record.server_id = completion.server_id;
  record.sampling_mismatch = completion.sampling_mismatch;
  return record;
}

EvaluationResult evaluate(Runner& runner, std::span<const Trial> pending, const SamplingConfig& sampling,
                          RunJournal& journal, EvaluationObserver& observer, std::stop_token stop) {
  return Evaluation(pending, sampling, journal, observer, std::move(stop)).run(runner);
}

}  // namespace gpqa
