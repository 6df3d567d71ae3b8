"""The list of names that pickles of River's models may have; see allowed. A module a line, its names behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_LIST: Final = """
builtins bool dict float int set
collections Counter OrderedDict defaultdict deque
functools partial
numpy dtype
numpy._core.multiarray scalar
numpy._core.numeric _frombuffer
random Random
river._river_rust.drift AdaptiveWindowing
river._river_rust.stats RsEWMean RsEWVar RsIQR RsKurtosis RsPeakToPeak RsQuantile RsSkew
river._river_rust.vectordict VectorDict euclidean_distance_dict euclidean_distance_tuple
river.compose.pipeline Pipeline
river.drift.adwin ADWIN
river.drift.binary.ddm DDM
river.drift.binary.eddm EDDM
river.drift.binary.fhddm FHDDM
river.drift.binary.hddm_a HDDMA
river.drift.binary.hddm_w HDDMW SampleInfo
river.drift.dummy DummyDriftDetector
river.drift.kswin KSWIN
river.drift.no_drift NoDrift
river.drift.page_hinkley PageHinkley
river.drift.retrain DriftRetrainingClassifier
river.dummy NoChangeClassifier PriorClassifier StatisticRegressor
river.ensemble.bagging ADWINBaggingClassifier BaggingClassifier BaggingRegressor LeveragingBaggingClassifier
river.ensemble.boosting ADWINBoostingClassifier AdaBoostClassifier BOLEClassifier
river.ensemble.ewa EWARegressor
river.ensemble.stacking StackingClassifier
river.ensemble.streaming_random_patches BaseSRPClassifier BaseSRPRegressor SRPClassifier SRPRegressor
river.ensemble.voting VotingClassifier
river.feature_selection.variance VarianceThreshold
river.forest.adaptive_random_forest ARFClassifier ARFRegressor BaseTreeClassifier BaseTreeRegressor
river.forest.aggregated_mondrian_forest AMFClassifier AMFRegressor
river.forest.online_extra_trees ETRegressor ExtraTrees._detection_mode_all OXTRegressor SubBaggingSampler
river.imblearn.chebyshev ChebyshevOverSampler ChebyshevUnderSampler
river.imblearn.hard_sampling HardSamplingClassifier HardSamplingRegressor Triplet
river.linear_model.ad_predictor AdPredictor
river.linear_model.alma ALMAClassifier
river.linear_model.bayesian_lin_reg BayesianLinearRegression
river.linear_model.lin_reg LinearRegression
river.linear_model.log_reg LogisticRegression
river.linear_model.pa PAClassifier PARegressor
river.linear_model.perceptron Perceptron
river.linear_model.softmax SoftmaxRegression
river.metrics.accuracy Accuracy
river.metrics.confusion ConfusionMatrix
river.metrics.mae MAE
river.metrics.mse MSE
river.multiclass.ovo OneVsOneClassifier
river.multiclass.ovr OneVsRestClassifier
river.naive_bayes.bernoulli BernoulliNB
river.naive_bayes.complement ComplementNB
river.naive_bayes.gaussian GaussianNB GaussianNB._make_gaussian
river.naive_bayes.multinomial MultinomialNB
river.neighbors.ann.swinn SWINN
river.neighbors.knn_classifier KNNClassifier
river.neighbors.knn_regressor KNNRegressor
river.neighbors.lazy LazySearch
river.optim.ada_bound AdaBound
river.optim.ada_delta AdaDelta
river.optim.ada_grad AdaGrad
river.optim.ada_max AdaMax
river.optim.adam Adam
river.optim.ams_grad AMSGrad
river.optim.average Averager
river.optim.ftrl FTRLProximal
river.optim.initializers Constant Normal Zeros
river.optim.losses Absolute BinaryFocalLoss Cauchy CrossEntropy EpsilonInsensitiveHinge Hinge Huber Log Poisson
river.optim.losses Quantile Squared
river.optim.momentum Momentum
river.optim.nadam Nadam
river.optim.nesterov NesterovMomentum
river.optim.newton Newton
river.optim.rms_prop RMSProp
river.optim.schedulers Constant InverseScaling Optimal
river.optim.sgd SGD
river.preprocessing.feature_hasher FeatureHasher
river.preprocessing.impute PreviousImputer StatImputer
river.preprocessing.one_hot OneHotEncoder
river.preprocessing.ordinal OrdinalEncoder
river.preprocessing.pred_clipper PredClipper
river.preprocessing.scale AdaptiveStandardScaler Binarizer MaxAbsScaler MinMaxScaler Normalizer RobustScaler
river.preprocessing.scale StandardScaler
river.preprocessing.scale_target TargetMinMaxScaler TargetStandardScaler
river.proba.gaussian Gaussian
river.proba.multinomial Multinomial
river.rules.amrules AMRules AdaptiveRegressor MeanRegressor RegRule
river.rules.base NumericLiteral
river.sketch.histogram Histogram
river.stats.chi_squared ChiSquared
river.stats.count Count
river.stats.cov Cov
river.stats.entropy Entropy
river.stats.ewcov EWCov
river.stats.ewmean EWMean
river.stats.ewvar EWVar
river.stats.iqr IQR RollingIQR
river.stats.kolmogorov_smirnov KolmogorovSmirnov
river.stats.kurtosis Kurtosis
river.stats.mad MAD
river.stats.maximum AbsMax Max RollingAbsMax RollingMax
river.stats.mean BayesianMean Mean
river.stats.minimum Min RollingMin
river.stats.mode Mode RollingMode
river.stats.pearson PearsonCorr
river.stats.ptp PeakToPeak RollingPeakToPeak
river.stats.quantile Quantile RollingQuantile
river.stats.sem SEM
river.stats.shift Shift
river.stats.skew Skew
river.stats.summing Sum
river.stats.var Var
river.tree.extremely_fast_decision_tree ExtremelyFastDecisionTreeClassifier
river.tree.hoeffding_adaptive_tree_classifier HoeffdingAdaptiveTreeClassifier
river.tree.hoeffding_adaptive_tree_regressor HoeffdingAdaptiveTreeRegressor
river.tree.hoeffding_tree_classifier HoeffdingTreeClassifier
river.tree.hoeffding_tree_regressor HoeffdingTreeRegressor
river.tree.last_classifier LASTClassifier
river.tree.losses BinaryCrossEntropyLoss SquaredErrorLoss
river.tree.mondrian.mondrian_tree_classifier MondrianTreeClassifier
river.tree.mondrian.mondrian_tree_nodes MondrianBranchClassifier MondrianBranchRegressor MondrianLeafClassifier
river.tree.mondrian.mondrian_tree_nodes MondrianLeafRegressor
river.tree.mondrian.mondrian_tree_regressor MondrianTreeRegressor
river.tree.nodes.arf_htc_nodes RandomLeafMajorityClass RandomLeafNaiveBayes RandomLeafNaiveBayesAdaptive
river.tree.nodes.arf_htr_nodes RandomLeafAdaptive RandomLeafMean RandomLeafModel
river.tree.nodes.branch NominalBinaryBranch NominalMultiwayBranch NumericBinaryBranch NumericMultiwayBranch
river.tree.nodes.efdtc_nodes EFDTLeafMajorityClass EFDTLeafNaiveBayes EFDTLeafNaiveBayesAdaptive
river.tree.nodes.efdtc_nodes EFDTNominalBinaryBranch EFDTNominalMultiwayBranch EFDTNumericBinaryBranch
river.tree.nodes.efdtc_nodes EFDTNumericMultiwayBranch
river.tree.nodes.et_nodes ETLeafAdaptive ETLeafMean ETLeafModel
river.tree.nodes.hatc_nodes AdaLeafClassifier AdaNomBinaryBranchClass AdaNomMultiwayBranchClass
river.tree.nodes.hatc_nodes AdaNumBinaryBranchClass AdaNumMultiwayBranchClass
river.tree.nodes.hatr_nodes AdaLeafRegAdaptive AdaLeafRegMean AdaLeafRegModel AdaNomBinaryBranchReg
river.tree.nodes.hatr_nodes AdaNomMultiwayBranchReg AdaNumBinaryBranchReg AdaNumMultiwayBranchReg
river.tree.nodes.htc_nodes LeafMajorityClass LeafNaiveBayes LeafNaiveBayesAdaptive
river.tree.nodes.htr_nodes LeafAdaptive LeafMean LeafModel
river.tree.nodes.isouptr_nodes LeafAdaptiveMultiTarget LeafMeanMultiTarget LeafModelMultiTarget
river.tree.nodes.last_nodes LeafMajorityClassWithDetector LeafNaiveBayesAdaptiveWithDetector
river.tree.nodes.last_nodes LeafNaiveBayesWithDetector
river.tree.nodes.sgt_nodes SGTLeaf
river.tree.split_criterion.gini_split_criterion GiniSplitCriterion
river.tree.split_criterion.hellinger_distance_criterion HellingerDistanceCriterion
river.tree.split_criterion.info_gain_split_criterion InfoGainSplitCriterion
river.tree.split_criterion.intra_cluster_variance_reduction_split_criterion IntraClusterVarianceReductionSplitC
river.tree.split_criterion.intra_cluster_variance_reduction_split_criterion riterion
river.tree.split_criterion.variance_ratio_split_criterion VarianceRatioSplitCriterion
river.tree.split_criterion.variance_reduction_split_criterion VarianceReductionSplitCriterion
river.tree.splitter.ebst_splitter EBSTNode EBSTNode._update_estimator_univariate EBSTSplitter
river.tree.splitter.exhaustive_splitter ExhaustiveNode ExhaustiveSplitter
river.tree.splitter.gaussian_splitter GaussianSplitter
river.tree.splitter.histogram_splitter HistogramSplitter
river.tree.splitter.nominal_splitter_classif NominalSplitterClassif
river.tree.splitter.nominal_splitter_reg NominalSplitterReg
river.tree.splitter.qo_splitter FeatureQuantizer QOSplitter Slot
river.tree.splitter.random_splitter RegRandomSplitter
river.tree.splitter.sgt_quantizer DynamicQuantizer StaticQuantizer
river.tree.splitter.tebst_splitter TEBSTSplitter
river.tree.stochastic_gradient_tree SGTClassifier SGTRegressor
river.tree.utils GradHessStats
river.utils.rolling Rolling TimeRolling
river.utils.sorted_window SortedWindow
statistics NormalDist
"""


def _read(text: str) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for module, *names in map(str.split, text.strip().splitlines()):
        found[module] = found.get(module, frozenset()) | frozenset(names)
    return found


NAMES: Final[Mapping[str, frozenset[str]]] = _read(_LIST)
