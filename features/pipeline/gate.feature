@static @DEP-1.5
Feature: The release gate opens on a PASS that is about the release, and on nothing else
  It reads the verdict file that a run leaves. A release manager must be able to trust that neither a broken harness, nor a
  lost file, nor yesterday's good night lets a release through.

  Scenario: A run that passed lets its release through
    When the gate is asked about a run that passed
    Then it lets the release through

  Scenario Outline: Any other run keeps the release back
    When the gate is asked about a run that <ending>
    Then it keeps the release back

    Examples:
      | ending                        |
      | failed                        |
      | was inconclusive              |
      | left no verdict               |
      | died                          |
      | was interrupted               |
      | passed a day ago              |
      | passed in another environment |
      | let another release stay      |
